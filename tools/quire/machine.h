/* SPDX-License-Identifier: MIT */
/* QEMU, with the kernel in it. */
#ifndef QUIRE_TOOL_MACHINE_H
#define QUIRE_TOOL_MACHINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "disk.h"
#include "options.h"

struct machine {
    pid_t process;
    int console; /* both ways: COM1, the program's standard input and output */
    int errors;  /* from it: COM2, the program's standard error */
    int words;   /* from it: the debug port, the kernel's own words and records */
};

/* What there is before it starts. */
struct machine_parts {
    const struct boot_options *options;
    const struct disks *disks;
    const char *kernel;
    int initrd;          /* the initial file system */
    const char *program; /* a path in it */
};

/* Starts the machine on the kernel, to run the program. 0, or a status after a message. */
int machine_start(struct machine *machine, const struct machine_parts *parts);
/* Ends it, if it hasn't ended, and closes everything. */
void machine_end(struct machine *machine);

#endif
