/* SPDX-License-Identifier: MIT */
/* What the loader says: memory, the archive, the command line. */
#ifndef KERNEL_BOOT_INFO_H
#define KERNEL_BOOT_INFO_H

#include <quire/vm.h>

#define MAX_WORDS 128

struct boot_info {
    addr_t archive, archive_size; /* physical; size 0: none */
    char *words[MAX_WORDS];       /* of the command line, decoded */
    unsigned word_count;
    unsigned program; /* the word that is the program; word_count: none */
    bool statistics;
};
extern struct boot_info boot_info;

/* Reads the hvm_start_info at `physical` into boot_info, and the memory map into `arguments`. A
 * description that can't be used is a panic: nobody else could say what is wrong. */
void boot_info_read(addr_t physical, kernel_args *arguments);
/* Splits and decodes `line`. */
void command_line_read(const char *line);
/* The `index`th word before the program that begins with `name` and `=`: what follows, or NULL. */
const char *command_line_option(const char *name, unsigned index);

#endif
