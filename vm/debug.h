/* SPDX-License-Identifier: MIT */
/* The debugger's commands that are in files of their own. As all of them, they take no locks and allocate
 * nothing. */
#ifndef VM_DEBUG_H
#define VM_DEBUG_H

#include <quire/types.h>

/* Decimal, or hexadecimal with 0x. */
bool debug_parse_number(const char *text, uint64_t *value);
bool debug_same(const char *a, const char *b);

/* debug_reclaim.c */
void debug_reclaim(int argc, char **argv);
void debug_swap(int argc, char **argv);
void debug_slot(int argc, char **argv);
void debug_queue(int argc, char **argv);
void debug_page(int argc, char **argv);
void debug_files(int argc, char **argv);

#endif
