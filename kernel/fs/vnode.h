/* SPDX-License-Identifier: MIT */
/* A vnode: one file, directory, symbolic link, device or pipe, whatever names it has. */
#ifndef KERNEL_FS_VNODE_H
#define KERNEL_FS_VNODE_H

#include <kernel/errno.h>
#include <kernel/lock.h>
#include <quire/vm.h>
#include "linux_file.h"

struct file;
struct vnode;
struct vnode_data_ops;
struct directory_entry;

/* Called for each entry of a directory: its name, and the position behind it. False ends the walk,
 * and the entry counts as not seen. `type` is S_IF*. */
struct directory_visit {
    bool (*visit)(struct directory_visit *visit, const char *name, size_t length, uint64_t inode,
                  unsigned type, off_t next);
};

/* What differs between the ram file system, devices and /proc. Those left NULL can't be done. */
struct vnode_ops {
    /* => namespace_lock held. The entry `name` of a directory, with a reference. */
    int (*lookup)(struct vnode *directory, const char *name, size_t length, struct vnode **found);
    /* => namespace_lock held. Visits the entries from `position` on, "." and ".." not. */
    void (*iterate)(struct vnode *directory, off_t position, struct directory_visit *visit);
    /* => namespace_lock held. What a symbolic link says, cut at `size`; no NUL. */
    int64_t (*read_link)(struct vnode *link, char *buffer, size_t size);
    /* => namespace_lock held. A link that leads to a vnode, not to a path: with a reference. */
    int (*follow)(struct vnode *link, struct vnode **target);
    /* Completes a file that is being opened: sets ops and data. May sleep. */
    int (*open)(struct file *file);
    /* The last reference has gone: frees what hangs at `data`. Doesn't sleep. */
    void (*destroy)(struct vnode *vnode);
    const struct vnode_data_ops *data; /* of regular files; NULL: it isn't one */
};

/* Where a regular file's bytes come from and go to. The functions of the same names below have the
 * contracts; those left NULL have nothing to do, but for `read` and `write`. */
struct vnode_data_ops {
    int64_t (*read)(struct vnode *vnode, off_t position, void *buffer, size_t length, bool user);
    int64_t (*write)(struct vnode *vnode, off_t position, const void *buffer, size_t length,
                     bool user);                      /* => data_lock held */
    int (*truncate)(struct vnode *vnode, off_t size); /* => data_lock held */
    int (*prepare_mapping)(struct vnode *vnode);
    int (*commit_all)(struct vnode *vnode);
    int (*sync)(struct vnode *vnode, off_t first, off_t last);
    /* host_vnode_read and host_vnode_write. They take no lock that a writer holds: a write to any file
     * may have to write pages of this one out first. */
    int (*read_pages)(struct vnode *vnode, off_t offset, const addr_t *frames, size_t count,
                      size_t *done);
    int (*write_pages)(struct vnode *vnode, off_t offset, const addr_t *frames, size_t count,
                       size_t *done);
};

struct vnode {
    const struct vnode_ops *ops;
    uint32_t references;
    /* Guarded by namespace_lock, but for what is set once: the type in `mode`, inode, device. */
    unsigned mode; /* type and permissions, as in st_mode */
    uint32_t uid, gid;
    uint64_t inode;
    uint64_t device; /* st_rdev */
    struct linux_timespec accessed, modified, changed;
    struct directory_entry *links; /* the names of this vnode */
    struct vnode *parent;          /* a directory's; itself for the root; NULL when removed */
    uint32_t link_count;           /* as st_nlink has it */
    void *data;                    /* of the ops */

    /* Regular files. The sizes change under data_lock and are read without it. */
    struct mutex data_lock;
    off_t size;
    const uint8_t *archive; /* what the file held at boot, in the initial archive */
    off_t archive_size;     /* how much of that still counts */
    off_t committed;        /* promised with vm_commit for this file */
    bool commits_all;       /* a shared mapping may write anywhere in it */
    bool read_only;         /* for good; set once */
    vm_cache_ref *cache;    /* the one cache: the core's, through host_vnode_set_cache */
    vm_cache_ref *kept;     /* the file's own reference on it: it lasts as long as the file */
    bool dying;             /* on vnode_dying_list; guarded by its lock */
    struct vnode *next_dying;
};

static inline unsigned vnode_type(const struct vnode *vnode)
{
    return vnode->mode & S_IFMT;
}

static inline bool vnode_is_file(const struct vnode *vnode)
{
    return vnode->ops->data != NULL;
}

/* Guards the names of all files, and what vnodes say about themselves. No program's memory is
 * touched, and no cache used, under it. */
extern struct mutex namespace_lock;

/* With one reference, no name, and times of now. NULL: no memory. */
struct vnode *vnode_create(const struct vnode_ops *ops, unsigned mode);
/* References; they don't sleep. An unlinked file that nobody uses any more is put on a list, for
 * vnode_reap. vnode_release(NULL) is fine. */
void vnode_acquire(struct vnode *vnode);
void vnode_release(struct vnode *vnode);
/* How many there are. */
unsigned vnode_count(void);

extern struct vnode *vnode_dying_list;
void vnode_reap_list(void);
/* Ends the files that were unlinked and are not in use any more. May sleep. */
static inline void vnode_reap(void)
{
    if (__builtin_expect(__atomic_load_n(&vnode_dying_list, __ATOMIC_RELAXED) != NULL, 0))
        vnode_reap_list();
}

void vnode_stat(struct vnode *vnode, struct linux_stat *stat);
struct linux_timespec time_now(void);
/* => namespace_lock held. The contents, or only what is said about them, have changed. */
void vnode_modified(struct vnode *vnode);
void vnode_changed(struct vnode *vnode);
/* 0, -EACCES or -EROFS; `mask` is R_OK | W_OK | X_OK. Everybody is root, so only a file that nobody may
 * execute, or nobody can write, is refused. */
int vnode_check_access(const struct vnode *vnode, unsigned mask);
/* Whether a process runs it: then nobody may write to it. */
bool vnode_is_executing(const struct vnode *vnode);
/* => namespace_lock held. The absolute path, with its NUL: its length without it, -ENOENT (no name is
 * left), -ERANGE. */
int64_t vnode_path_locked(const struct vnode *vnode, char *buffer, size_t size);
int64_t vnode_path(const struct vnode *vnode, char *buffer, size_t size);

/* ---- the data of regular files ------------------------------------------------------------------- */

/* Before any mapping of the file is made: gives the file its cache for good, and promises memory for
 * its holes, also for those to come. 0, -ENOMEM or -ENOSPC. */
int vnode_prepare_mapping(struct vnode *vnode);
/* The number of bytes, or an errno. `user`: the buffer is a program's. */
int64_t vnode_read(struct vnode *vnode, off_t position, void *buffer, size_t length, bool user);
/* `append`: at the end, wherever that is by then. *position is moved behind what was written. */
int64_t vnode_write(struct vnode *vnode, off_t *position, const void *buffer, size_t length,
                    bool user, bool append);
/* -EINVAL, -EFBIG, -EROFS; -EPERM: its length is fixed. */
int vnode_truncate(struct vnode *vnode, off_t size);
/* Makes the file as long as `end` if it is shorter, and promises memory for all of it. 0, -ENOSPC, -EROFS. */
int vnode_allocate(struct vnode *vnode, off_t end);
/* What was written to [first, last] is where it will outlast the machine. 0, -EIO. */
int vnode_sync(struct vnode *vnode, off_t first, off_t last);
/* Promises memory for all of the file: before a shared mapping may write to it. 0 or -ENOSPC. */
int vnode_commit_all(struct vnode *vnode);
/* Whether pages of the file could not be written when nobody waited, since *seen was set here last. 0, or
 * -EIO. */
int vnode_take_write_error(struct vnode *vnode, uint32_t *seen);
/* For data_ops: copies through the kept cache, as far as that goes. 0 or an errno, with *done. */
int vnode_copy_out(struct vnode *vnode, off_t position, void *buffer, size_t length, bool user,
                   size_t *done);
int vnode_copy_in(struct vnode *vnode, off_t position, const void *buffer, size_t length, bool user,
                  size_t *done);
/* => data_lock held, or nobody else has the file yet. Makes the cache that is kept. 0 or -ENOMEM. */
int vnode_keep_cache(struct vnode *vnode);
extern const struct vnode_data_ops ram_data_ops;
/* The last steps of a file's life. They need no lock: nobody else has it. */
void vnode_drop_cache(struct vnode *vnode);
void vnode_give_back_commitment(struct vnode *vnode);

#endif
