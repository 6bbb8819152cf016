/* SPDX-License-Identifier: MIT */
/* The file system as a whole. What processes need of it is declared in kernel/process.h. */
#ifndef KERNEL_FS_FS_H
#define KERNEL_FS_FS_H

#include "path.h"

/* `/`; NULL when nothing is mounted. Not referenced. */
extern struct vnode *fs_root;

/* Builds the file system from a newc archive, which stays where it is: the files' pages are brought in
 * from it. For a broken one -EINVAL and a sentence in *problem; -ENOMEM. */
int fs_mount(const void *archive, size_t size, const char **problem);
/* Gives the vnode the absolute path `path`, instead of a file that has it; directories are made as needed.
 * -EINVAL and a sentence in *problem; -ENOMEM. */
int fs_place(const char *path, struct vnode *vnode, const char **problem);
/* Takes all names away and ends what is not in use. */
void fs_unmount(void);

#endif
