/* SPDX-License-Identifier: MIT */
/* Open files, and what a process has of them. */
#ifndef KERNEL_FS_FILE_H
#define KERNEL_FS_FILE_H

#include "vnode.h"

struct process;

struct file_ops {
    /* The number of bytes, 0 at the end, or an errno. *position moves; NULL where there is none. */
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
    struct vnode *vnode;
    void *data; /* of the ops */
    uint32_t references;
    unsigned flags; /* O_*; fcntl changes some, with atomic stores */
    struct mutex position_lock;
    off_t position;
    uint32_t write_errors_seen; /* of the file's: each is told once */
};

/* A new open file on `vnode`, of which it takes a reference of its own. */
int file_open_vnode(struct vnode *vnode, unsigned flags, struct file **file);
void file_acquire(struct file *file);
/* May sleep. */
void file_release(struct file *file);

static inline unsigned file_flags(const struct file *file)
{
    return __atomic_load_n(&file->flags, __ATOMIC_RELAXED);
}

static inline bool file_readable(const struct file *file)
{
    unsigned flags = file_flags(file);
    return (flags & O_ACCMODE) != O_WRONLY && (flags & O_PATH) == 0;
}

static inline bool file_writable(const struct file *file)
{
    unsigned flags = file_flags(file);
    return (flags & O_ACCMODE) != O_RDONLY && (flags & O_PATH) == 0;
}

/* The number of bytes or -errno; -EBADF where the file was not opened for that. `position` NULL: the
 * file's own. */
int64_t file_read(struct file *file, void *buffer, size_t length, bool user, off_t *position);
int64_t file_write(struct file *file, const void *buffer, size_t length, bool user,
                   off_t *position);
unsigned file_poll(struct file *file);
/* All that was written to the file, by whomever, is where it will outlast the machine. 0 or -EIO. */
int file_sync(struct file *file);
/* Whether some of it was lost since this was asked, or the file opened, last. 0 or -EIO. */
int file_take_write_error(struct file *file);

/* Signalled whenever any file may have become ready: everybody who polls looks again. */
extern struct event poll_event;

extern const struct file_ops regular_file_ops, directory_file_ops;
/* vnode_ops.open of regular files. */
int regular_open(struct file *file);

/* ---- descriptors ----------------------------------------------------------------------------------- */

#define FD_MAX 1024

struct descriptor {
    struct file *file;
    bool close_on_exec;
};

/* A process's descriptors, working directory and file creation mask. */
struct file_state {
    uint32_t references;
    struct mutex lock; /* guards all of it, but umask: only its process uses that */
    struct descriptor *descriptors;
    unsigned capacity;
    struct vnode *cwd;
    unsigned umask;
};

/* All give NULL when there is no memory. */
struct file_state *file_state_create_at(struct vnode *cwd);
/* For the first process: the console as 0, 1 and 2, working directory `/`. */
struct file_state *file_state_create(void);
struct file_state *file_state_copy(struct file_state *from);
void file_state_close_on_exec(struct file_state *state);
/* A process's, with a reference, or NULL; and what takes it away from the process. The last reference
 * closes everything. They may sleep; NULL may be put. */
struct file_state *file_state_of(struct process *process);
void file_state_leave(struct process *process);
void file_state_put(struct file_state *state);
/* The running process's. */
struct file_state *file_state_current(void);
/* Its working directory, with a reference. */
struct vnode *file_state_cwd(struct file_state *state);

/* The open file, with a reference, or NULL. */
struct file *fd_get(struct file_state *state, int fd);
/* Puts `file` (whose reference is taken over, also on errors) at the lowest free descriptor from
 * `low` on: that descriptor, or -EMFILE, -ENOMEM, -EINVAL. */
int fd_install(struct file_state *state, struct file *file, bool close_on_exec, unsigned low);
/* Puts it at `fd` instead of what is there: fd, -EBADF, -ENOMEM. */
int fd_replace(struct file_state *state, int fd, struct file *file, bool close_on_exec);
/* Closes it in any case: 0, -EBADF, or -EIO (file_take_write_error). */
int fd_close(struct file_state *state, int fd);
/* FD_CLOEXEC: 0 or 1, -EBADF. `set` below 0 only asks. */
int fd_close_on_exec(struct file_state *state, int fd, int set);

#endif
