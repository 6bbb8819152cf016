/* SPDX-License-Identifier: MIT */
/* The file system as a whole. */
#ifndef KERNEL_FS_FS_H
#define KERNEL_FS_FS_H

#include "fs/path.h"

/* Builds the initial file system from a newc cpio archive, which must stay where it is as long as the
 * file system is mounted. A broken archive is 0 files and a sentence in *problem: -EINVAL, -ENOMEM.
 * Count the free frames before this, and again after fs_unmount: they are equal. */
int fs_mount(const void *archive, size_t length, const char **problem);

/* Once all processes are gone: deletes everything. The number of vnodes that somebody still uses. */
unsigned fs_unmount(void);

/* `/`; NULL when nothing is mounted. Not referenced. */
extern struct vnode *fs_root;

#endif
