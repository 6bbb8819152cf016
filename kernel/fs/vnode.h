/* SPDX-License-Identifier: MIT */
/* A vnode: one file, directory, symbolic link, device or pipe, whatever names it has. */
#ifndef KERNEL_FS_VNODE_H
#define KERNEL_FS_VNODE_H

#include <quire/vm.h>
#include "fs/linux_errno.h"
#include "fs/linux_file.h"
#include "mutex.h"

struct file;
struct vnode;
struct directory_entry;

/* Called for each entry of a directory; false ends the walk, and the entry counts as not seen. */
typedef bool (*directory_visitor)(void *context, const char *name, size_t length, uint64_t inode,
                                  unsigned type, off_t next);

/* What differs between the ram file system, devices and /proc. Those left NULL are an error that
 * says that this vnode can't do it. */
struct vnode_ops {
    /* The entry `name` of a directory, with a reference. namespace_lock is held. */
    int (*lookup)(struct vnode *directory, const char *name, size_t length, struct vnode **found);
    /* Visits the entries from `position` on. namespace_lock is held. */
    int (*iterate)(struct vnode *directory, off_t position, directory_visitor visit, void *context);
    /* The length of what a symbolic link says, cut at `size`; no NUL. namespace_lock is held. */
    int (*read_link)(struct vnode *link, char *buffer, size_t size);
    /* Completes a file that has just been made for this vnode: sets ops and data. */
    int (*open)(struct vnode *vnode, struct file *file);
    /* The last reference has gone: frees what hangs at `data`. Doesn't sleep. */
    void (*destroy)(struct vnode *vnode);
};

struct vnode {
    const struct vnode_ops *ops;
    uint32_t references;
    /* What follows is guarded by namespace_lock, but for the type in `mode`, `inode`
     * and `device`, which are set once. */
    unsigned mode; /* type and permissions, as in st_mode */
    uint32_t uid, gid;
    uint64_t inode;
    uint64_t device; /* st_rdev */
    struct linux_timespec accessed, modified, changed;
    struct directory_entry *links; /* the names of this vnode */
    uint32_t link_count;           /* as st_nlink has it */
    void *data;                    /* of the ops */

    /* Regular files. `size` and `archive_size` change under data_lock and are read without it. */
    struct mutex data_lock;
    off_t size;
    const uint8_t *archive; /* what the file held at boot, in the initial archive */
    off_t archive_size;     /* how much of that still counts */
    off_t committed;        /* promised with vm_commit for this file; guarded by data_lock */
    vm_cache_ref *cache;    /* the one cache; the core's, through host_vnode_set_cache */
    vm_cache_ref *kept;     /* the file system's own reference on it: a ram file IS its cache */
    uint32_t dying;
    struct vnode *next_dying;
};

static inline unsigned vnode_type(const struct vnode *vnode)
{
    return vnode->mode & S_IFMT;
}

/* Guards the names of all files, and what vnodes say about themselves. No user memory is touched and
 * no cache is used under it. */
extern struct mutex namespace_lock;

/* With one reference, no name, and times of now. NULL: no memory. */
struct vnode *vnode_create(const struct vnode_ops *ops, unsigned mode);
/* References; they don't sleep. An unlinked file that nobody has open any more is put on a list, for
 * vnode_reap. */
void vnode_acquire(struct vnode *vnode);
void vnode_release(struct vnode *vnode);

extern struct vnode *vnode_dying_list;
/* Ends the files that were unlinked and are not in use any more. May sleep. */
void vnode_reap_list(void);
static inline void vnode_reap(void)
{
    if (__atomic_load_n(&vnode_dying_list, __ATOMIC_RELAXED) != NULL) {
        vnode_reap_list();
    }
}

void vnode_stat(struct vnode *vnode, struct linux_stat *stat);
void vnode_touch(struct vnode *vnode, bool modified);
/* 0 or -EACCES; `mask` is R_OK | W_OK | X_OK. Everybody is root: execution needs an x bit. */
int vnode_check_access(struct vnode *vnode, unsigned mask);

/* The absolute path of a vnode, with its NUL; its length, -ENOENT (no name left), -ERANGE. */
int vnode_path(struct vnode *vnode, char *buffer, size_t size);

/* ---- the data of regular files ----------------------------------------------------------------- */
/* The number of bytes, or an errno. `user`: the buffer is a program's. */
int64_t vnode_read(struct vnode *vnode, off_t position, void *buffer, size_t length, bool user);
/* `append`: at the end, wherever that is by then; *position is set behind what was written. */
int64_t vnode_write(struct vnode *vnode, off_t *position, const void *buffer, size_t length,
                    bool user, bool append);
int vnode_truncate(struct vnode *vnode, off_t size);
/* Promises memory for all of the file, before a shared mapping may write to it. 0 or -ENOSPC. */
int vnode_prepare_shared_write(struct vnode *vnode);

#endif
