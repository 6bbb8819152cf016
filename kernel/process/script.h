/* SPDX-License-Identifier: MIT */
/* Finds the file that execve really runs: through "#!" lines, if there are any. */
#ifndef KERNEL_SCRIPT_H
#define KERNEL_SCRIPT_H

#include <quire/types.h>

#define SCRIPT_HEAD 256 /* Linux reads as much */
#define SCRIPT_DEPTH 5
#define SCRIPT_TEXT 6144

struct script {
    void *vnode; /* with a reference */
    size_t head_size;
    char head[SCRIPT_HEAD + 1];
    /* Arguments to put before the program's own, the last first; they lie in text. */
    unsigned prefix_count;
    const char *prefix[3 * SCRIPT_DEPTH];
    size_t text_used;
    char text[SCRIPT_TEXT];
};

/* -ENOENT, -EACCES, -ENOEXEC, -ELOOP... */
int script_resolve(struct script *script, const char *path);
/* Reads from a file into the kernel's memory. */
int script_read_file(void *vnode, off_t position, void *buffer, size_t size, size_t *done);

#endif
