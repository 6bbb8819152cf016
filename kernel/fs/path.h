/* SPDX-License-Identifier: MIT */
/* From names to vnodes. Paths are the kernel's copies. */
#ifndef KERNEL_FS_PATH_H
#define KERNEL_FS_PATH_H

#include "file.h"

#define PATH_MAX_LINKS 40 /* symbolic links followed before -ELOOP, as Linux has it */

/* The end of a walk. `directory` holds the last component, `name`; `vnode` is what is there, or NULL.
 * Where the path ends in "/", "." or "..", there is no name (length 0), and vnode is set. Both are
 * referenced. */
struct path_end {
    struct vnode *directory;
    struct vnode *vnode;
    bool must_be_directory; /* the path ends in a slash */
    bool is_dot_dot;        /* it ends in ".." */
    size_t length;
    char name[NAME_MAX + 1];
};

/* => namespace_lock held. Walks `path`, from `start` if it is relative. A last component that doesn't
 * exist is no error. -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -ENOMEM. */
int path_walk(struct vnode *start, const char *path, bool follow_last, struct path_end *end);
void path_end_release(struct path_end *end);

/* The vnode at `path`, with a reference. */
int path_lookup(struct vnode *start, const char *path, bool follow_last, struct vnode **found);

/* The same for exec: from the process's working directory; -EACCES for what is no regular file that may
 * be executed. */
int path_lookup_executable(struct file_state *state, const char *path, struct vnode **found);

/* open(2), with the permissions masked already. */
int path_open(struct vnode *start, const char *path, unsigned flags, unsigned mode,
              struct file **file);

#endif
