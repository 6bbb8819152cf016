/* SPDX-License-Identifier: MIT */
/* The program to run: where it is on the host, and whether the kernel can run it. */
#ifndef QUIRE_TOOL_PROGRAM_H
#define QUIRE_TOOL_PROGRAM_H

#include <stdint.h>

/* Finds `name` as a shell would (a path if it has a slash, else along PATH); *path is an absolute
 * path to be freed. 0, STATUS_NOT_FOUND, STATUS_NOT_EXECUTABLE or STATUS_ERROR, with a message. */
int program_find(const char *name, char **path);

/* 0 if `path` is a static x86-64 ELF program; else STATUS_NOT_EXECUTABLE with a message that says
 * what it is, and what to do. */
int program_check(const char *path);

/* How much memory the segments of the kernel at `path` take. 0, or STATUS_ERROR with a message. */
int program_size(const char *path, uint64_t *size);

#endif
