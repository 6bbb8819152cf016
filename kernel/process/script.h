/* SPDX-License-Identifier: MIT */
/* Finds the file that execve really runs: through "#!" lines, if there are any. */
#ifndef KERNEL_SCRIPT_H
#define KERNEL_SCRIPT_H

#include <quire/types.h>

#define SCRIPT_HEAD 256 /* Linux reads as much */
#define SCRIPT_DEPTH 5

struct script {
    void *vnode; /* with a reference */
    size_t head_size;
    char head[SCRIPT_HEAD + 1];
    /* Arguments to put before the program's own, the last first. */
    unsigned prefix_count;
    char *prefix[3 * SCRIPT_DEPTH];
};

/* For an all-zero script. Give it to script_free whatever comes of it. -ENOENT, -EACCES, -ENOEXEC, -ELOOP... */
int script_resolve(struct script *script, const char *path);
void script_free(struct script *script);
/* Reads from a file into the kernel's memory. */
int script_read_file(void *vnode, off_t position, void *buffer, size_t size, size_t *done);

#endif
