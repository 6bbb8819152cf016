/* SPDX-License-Identifier: MIT */
/* Directories, and what is in them, in memory. namespace_lock is held for all of this. */
#ifndef KERNEL_FS_RAMFS_H
#define KERNEL_FS_RAMFS_H

#include "vnode.h"

/* A name of a vnode. It holds a reference on the vnode. */
struct directory_entry {
    struct directory_entry *next, *previous; /* in the directory, by position */
    struct directory_entry *next_link;       /* the vnode's next name */
    struct vnode *directory, *vnode;
    off_t position; /* for getdents64: never used again */
    size_t length;
    char name[];
};

extern const struct vnode_ops ramfs_directory_ops, ramfs_file_ops, ramfs_link_ops;

/* A vnode of the mode's type, without a name yet: regular, directory, or pipe. */
struct vnode *ramfs_create(unsigned mode);
struct vnode *ramfs_create_link(const char *text, size_t length);

struct directory_entry *ramfs_find(struct vnode *directory, const char *name, size_t length);
/* The first entry at or behind `position`, or NULL. */
struct directory_entry *ramfs_entry_from(struct vnode *directory, off_t position);
bool ramfs_is_empty(struct vnode *directory);
/* Gives the vnode a name, which must be free. 0, -ENOMEM, -ENAMETOOLONG, -EPERM (no directory of this
 * file system), -ENOENT (the directory was removed). */
int ramfs_add(struct vnode *directory, const char *name, size_t length, struct vnode *vnode);
/* Takes it away; the vnode's last one ends it once nobody has it open. */
void ramfs_remove(struct directory_entry *entry);
/* Where `vnode` is `directory` itself or one it lies in. */
bool ramfs_is_above(const struct vnode *vnode, const struct vnode *directory);

#endif
