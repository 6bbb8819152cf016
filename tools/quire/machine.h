/* SPDX-License-Identifier: MIT */
/* QEMU, with the kernel in it. */
#ifndef QUIRE_TOOL_MACHINE_H
#define QUIRE_TOOL_MACHINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

struct machine {
    pid_t process;
    int console; /* both ways: COM1, the program's standard input and output */
    int errors;  /* from it: COM2, the program's standard error */
    int words;   /* from it: the debug port, the kernel's own words and records */
};

/* Starts the machine on the kernel, with the initial file system in `initrd`, to run `program` (a
 * path in it). 0, or a status after a message. */
int machine_start(struct machine *machine, const struct boot_options *options, const char *kernel,
                  int initrd, const char *program);
/* Ends it, if it hasn't ended, and closes everything. */
void machine_end(struct machine *machine);

#endif
