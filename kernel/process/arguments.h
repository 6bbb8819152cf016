/* SPDX-License-Identifier: MIT */
/* A program's arguments and environment on their way from the old program's memory into the new one's. */
#ifndef KERNEL_ARGUMENTS_H
#define KERNEL_ARGUMENTS_H

#include <quire/vm.h>
#include "process/elf.h"

#define ARGUMENT_PAGES 256   /* all strings */
#define ARGUMENT_MAX 0x20000 /* one string */

/* Strings, one behind the other with their NULs, in pages of the kernel's. All zero up to
 * pages is empty. */
struct arguments {
    size_t used;
    unsigned page_count;
    unsigned argument_count, environment_count;
    size_t environment_start, path_start; /* where in the strings these begin */
    addr_t pages[ARGUMENT_PAGES];         /* physical; set up as far as page_count says. Last. */
};

/* Append; -E2BIG, -ENOMEM, -EFAULT. */
int arguments_add(struct arguments *arguments, const char *text);
int arguments_add_user(struct arguments *arguments, const char *text);
/* All strings of a program's NULL-terminated array (NULL: none) but the first `skip`. */
int arguments_add_array(struct arguments *arguments, addr_t array, unsigned skip, unsigned *count);
void arguments_free(struct arguments *arguments);

struct user_memory;
/* Writes the strings and the tables below `top`, as a new program finds them: *stack is its stack
 * pointer. => in its address space. -EFAULT when a page can't be had. */
int arguments_put(const struct arguments *arguments, const struct elf_program *program, addr_t top,
                  struct user_memory *memory, addr_t *stack);
/* How much of the stack that takes, at most. */
size_t arguments_size(const struct arguments *arguments);

#endif
