/* SPDX-License-Identifier: MIT */
/* From names to vnodes. */
#ifndef KERNEL_FS_PATH_H
#define KERNEL_FS_PATH_H

#include "fs/file.h"

#define PATH_MAX_LINKS 40 /* symbolic links followed before -ELOOP, as Linux has it */

/* The vnode at `path` (the kernel's copy), with a reference. A relative path starts at `start`.
 * -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -ENOMEM. */
int path_lookup(struct vnode *start, const char *path, bool follow_last, struct vnode **found);

/* The same for exec: relative to the process's working directory, and must be a regular file that may
 * be executed: -EACCES otherwise. */
int path_lookup_executable(struct fd_table *table, const char *path, struct vnode **found);

/* The directory that `path` names an entry of, with a reference, and that entry's name, which need not
 * exist. `trailing_slash`: the path says that it is a directory. */
struct path_parent {
    struct vnode *directory;
    char name[NAME_MAX + 1];
    size_t length;
    bool trailing_slash;
};
int path_lookup_parent(struct vnode *start, const char *path, struct path_parent *parent);

/* open(2). `path` is the kernel's copy. */
int path_open(struct vnode *start, const char *path, unsigned flags, unsigned mode,
              struct file **file);

#endif
