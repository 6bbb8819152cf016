/* SPDX-License-Identifier: MIT */
/* An open file, and the table in which a process has its descriptors. */
#ifndef KERNEL_FS_FILE_H
#define KERNEL_FS_FILE_H

#include "fs/vnode.h"

struct poll_state;

struct file_ops {
    /* The number of bytes, 0 at the end, or an errno. *position is the file's, or the caller's for
     * pread and pwrite. */
    int64_t (*read)(struct file *file, void *buffer, size_t length, bool user, off_t *position);
    int64_t (*write)(struct file *file, const void *buffer, size_t length, bool user,
                     off_t *position);
    /* POLLIN and so on, now. NULL: always readable and writable. */
    unsigned (*poll)(struct file *file);
    int64_t (*ioctl)(struct file *file, unsigned request, addr_t argument);
    /* The last reference has gone. */
    void (*close)(struct file *file);
    bool seekable;
};

struct file {
    const struct file_ops *ops;
    struct vnode *vnode; /* NULL for an anonymous pipe's ends only while they are made */
    void *data;          /* of the ops */
    uint32_t references;
    unsigned flags; /* O_*; those that fcntl may change are read and written atomically */
    struct mutex position_lock;
    off_t position;
};

/* A new open file on `vnode` (takes a reference of its own). */
int file_open_vnode(struct vnode *vnode, unsigned flags, struct file **file);
void file_acquire(struct file *file);
void file_release(struct file *file);

static inline bool file_readable(const struct file *file)
{
    return (file->flags & (O_ACCMODE | O_PATH)) != O_WRONLY && (file->flags & O_PATH) == 0;
}

static inline bool file_writable(const struct file *file)
{
    return (file->flags & O_ACCMODE) != O_RDONLY && (file->flags & O_PATH) == 0;
}

/* Reads and writes at the file's own position (position NULL) or at the caller's. */
int64_t file_read(struct file *file, void *buffer, size_t length, bool user, off_t *position);
int64_t file_write(struct file *file, const void *buffer, size_t length, bool user,
                   off_t *position);

/* Everybody who polls looks again. Doesn't sleep. */
void poll_wake(void);

/* ---- descriptors --------------------------------------------------------------------------------- */

#define FD_TABLE_MAX 1024

/* A process's descriptors, working directory and file creation mask. */
struct fd_table {
    struct mutex lock; /* guards all of it */
    struct file **files;
    uint8_t *close_on_exec; /* one byte for each descriptor */
    unsigned capacity;
    struct vnode *cwd;
    unsigned umask;
};

/* For the first process: the console as 0, 1 and 2, working directory `/`. NULL: no memory. */
struct fd_table *fd_table_create(void);
/* For fork: the same open files. NULL: no memory. */
struct fd_table *fd_table_copy(struct fd_table *from);
/* For execve, once it can't fail any more. */
void fd_table_close_on_exec(struct fd_table *table);
/* For exit: closes everything. NULL is fine. */
void fd_table_destroy(struct fd_table *table);

/* The open file, with a reference, or NULL. */
struct file *fd_get(struct fd_table *table, int fd);
/* Puts `file` (whose reference the table takes over) at the lowest free descriptor from `low` on: the
 * descriptor, or -EMFILE, -ENOMEM. */
int fd_install(struct fd_table *table, struct file *file, bool close_on_exec, int low);
/* Puts `file` (its reference is taken over) at `fd`; closes what is there. */
int fd_replace(struct fd_table *table, int fd, struct file *file, bool close_on_exec);
int fd_close(struct fd_table *table, int fd);

#endif
