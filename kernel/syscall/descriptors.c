/* SPDX-License-Identifier: MIT */
/* Descriptors: open, close, duplicate, pipes, fcntl. */
#include "arguments.h"
#include "fs/disk_file.h"
#include "fs/pipe.h"
#include "fs/ramfs.h"
#include <kernel/process.h>

static int64_t open_at(int directory, const void *user, unsigned flags, unsigned mode)
{
    struct file_state *state = file_state_current();
    struct at_path path;
    struct file *file;
    if ((flags & O_TMPFILE) == O_TMPFILE && (flags & O_CREAT) != 0)
        return -EINVAL;
    int error = at_path_get(&path, directory, user);
    if (error != 0)
        return error;
    error = path_open(path.start, path.text, flags, mode & 07777 & ~state->umask, &file);
    at_path_put(&path);
    return error != 0 ? error : fd_install(state, file, (flags & O_CLOEXEC) != 0, 0);
}

int64_t sys_open(struct trap_frame *frame)
{
    return open_at(AT_FDCWD, POINTER(0), UNSIGNED(1), UNSIGNED(2));
}

int64_t sys_openat(struct trap_frame *frame)
{
    return open_at(INTEGER(0), POINTER(1), UNSIGNED(2), UNSIGNED(3));
}

int64_t sys_creat(struct trap_frame *frame)
{
    return open_at(AT_FDCWD, POINTER(0), O_CREAT | O_WRONLY | O_TRUNC, UNSIGNED(1));
}

int64_t sys_close(struct trap_frame *frame)
{
    return fd_close(file_state_current(), INTEGER(0));
}

int64_t sys_dup(struct trap_frame *frame)
{
    struct file *file = file_of(INTEGER(0));
    return file == NULL ? -EBADF : fd_install(file_state_current(), file, false, 0);
}

static int64_t duplicate_to(int from, int to, bool close_on_exec)
{
    struct file *file = file_of(from);
    return file == NULL ? -EBADF : fd_replace(file_state_current(), to, file, close_on_exec);
}

int64_t sys_dup2(struct trap_frame *frame)
{
    if (INTEGER(0) == INTEGER(1)) {
        int error = fd_close_on_exec(file_state_current(), INTEGER(0), -1);
        return error < 0 ? error : INTEGER(0);
    }
    return duplicate_to(INTEGER(0), INTEGER(1), false);
}

int64_t sys_dup3(struct trap_frame *frame)
{
    if (INTEGER(0) == INTEGER(1) || (UNSIGNED(2) & ~O_CLOEXEC) != 0)
        return -EINVAL;
    return duplicate_to(INTEGER(0), INTEGER(1), (UNSIGNED(2) & O_CLOEXEC) != 0);
}

static int64_t make_pipe(void *user, unsigned flags)
{
    struct file_state *state = file_state_current();
    struct file *reader, *writer;
    bool close_on_exec = (flags & O_CLOEXEC) != 0;
    int fds[2];
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0)
        return -EINVAL;
    int error = pipe_create(flags, &reader, &writer);
    if (error != 0)
        return error;
    fds[0] = fd_install(state, reader, close_on_exec, 0);
    if (fds[0] < 0) {
        file_release(writer);
        return fds[0];
    }
    fds[1] = fd_install(state, writer, close_on_exec, 0);
    error = fds[1] < 0 ? fds[1] : copy_to_user(user, fds, sizeof(fds));
    if (error != 0) {
        (void)fd_close(state, fds[0]);
        if (fds[1] >= 0)
            (void)fd_close(state, fds[1]);
    }
    return error;
}

int64_t sys_pipe(struct trap_frame *frame)
{
    return make_pipe(POINTER(0), 0);
}

int64_t sys_pipe2(struct trap_frame *frame)
{
    return make_pipe(POINTER(0), UNSIGNED(1));
}

/* ---- fcntl ------------------------------------------------------------------------------------------- */

enum {
    F_DUPFD = 0,
    F_GETFD = 1,
    F_SETFD = 2,
    F_GETFL = 3,
    F_SETFL = 4,
    F_GETLK = 5,
    F_SETLK = 6,
    F_SETLKW = 7,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ = 1031,
    F_GETPIPE_SZ = 1032,
};

static int64_t set_status_flags(struct file *file, unsigned flags)
{
    const unsigned changeable = O_APPEND | O_NONBLOCK;
    unsigned old = file_flags(file), new;
    do {
        new = (old & ~changeable) | (flags & changeable);
    } while (!__atomic_compare_exchange_n(&file->flags, &old, new, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return 0;
}

static int64_t duplicate_from(struct file *file, uint64_t low, bool close_on_exec)
{
    if (low >= FD_MAX)
        return -EINVAL;
    file_acquire(file);
    return fd_install(file_state_current(), file, close_on_exec, (unsigned)low);
}

/* Record locks are not kept: whatever is asked for is granted. */
static int64_t get_lock(void *user)
{
    enum { F_UNLCK = 2 };
    int16_t type = F_UNLCK;
    return copy_to_user(user, &type, sizeof(type));
}

static int64_t control(struct file *file, int fd, int command, uint64_t argument)
{
    struct file_state *state = file_state_current();
    switch (command) {
    case F_DUPFD:
        return duplicate_from(file, argument, false);
    case F_DUPFD_CLOEXEC:
        return duplicate_from(file, argument, true);
    case F_GETFD:
        return fd_close_on_exec(state, fd, -1);
    case F_SETFD:
        (void)fd_close_on_exec(state, fd, (argument & 1) != 0);
        return 0;
    case F_GETFL:
        return file_flags(file);
    case F_SETFL:
        return set_status_flags(file, (unsigned)argument);
    case F_GETLK:
        return get_lock((void *)argument);
    case F_SETLK:
    case F_SETLKW:
        return 0;
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        if (file->vnode->ops != &fifo_vnode_ops)
            return -EBADF;
        return (int64_t)(PIPE_BUFFER_PAGES * VM_PAGE_SIZE);
    default:
        return -EINVAL;
    }
}

int64_t sys_fcntl(struct trap_frame *frame)
{
    struct file *file = file_of(INTEGER(0));
    if (file == NULL)
        return -EBADF;
    int64_t result = control(file, INTEGER(0), INTEGER(1), ARGUMENT(2));
    file_release(file);
    return result;
}

/* ---- of whole files ------------------------------------------------------------------------------------ */

/* A call that only needs the descriptor to be good. */
static int64_t check_descriptor(int fd)
{
    struct file *file = file_of(fd);
    if (file == NULL)
        return -EBADF;
    file_release(file);
    return 0;
}

static int64_t sync_file(int fd)
{
    struct file *file = file_of(fd);
    if (file == NULL)
        return -EBADF;
    int error = file_sync(file);
    file_release(file);
    return error;
}

int64_t sys_fsync(struct trap_frame *frame)
{
    return sync_file(INTEGER(0));
}

int64_t sys_fdatasync(struct trap_frame *frame)
{
    return sync_file(INTEGER(0));
}

/* As Linux's, it tells nobody of errors. */
int64_t sys_sync(struct trap_frame *frame)
{
    (void)frame;
    (void)disk_files_sync();
    return 0;
}

int64_t sys_fadvise64(struct trap_frame *frame)
{
    return check_descriptor(INTEGER(0));
}

int64_t sys_flock(struct trap_frame *frame)
{
    return check_descriptor(INTEGER(0));
}

int64_t sys_truncate(struct trap_frame *frame)
{
    struct vnode *vnode;
    if ((off_t)ARGUMENT(1) < 0)
        return -EINVAL;
    int error = at_lookup(AT_FDCWD, POINTER(0), 0, &vnode);
    if (error != 0)
        return error;
    if (vnode_type(vnode) == S_IFDIR)
        error = -EISDIR;
    else if (vnode_is_executing(vnode))
        error = -ETXTBSY;
    else
        error = vnode_is_file(vnode) ? vnode_truncate(vnode, (off_t)ARGUMENT(1)) : -EINVAL;
    vnode_release(vnode);
    return error;
}

int64_t sys_ftruncate(struct trap_frame *frame)
{
    if ((off_t)ARGUMENT(1) < 0)
        return -EINVAL;
    struct file *file = file_of(INTEGER(0));
    if (file == NULL)
        return -EBADF;
    int error = -EINVAL;
    if (vnode_is_file(file->vnode) && file_writable(file))
        error = vnode_truncate(file->vnode, (off_t)ARGUMENT(1));
    file_release(file);
    return error;
}

int64_t sys_fallocate(struct trap_frame *frame)
{
    off_t end, offset = (off_t)ARGUMENT(2), length = (off_t)ARGUMENT(3);
    if (offset < 0 || length <= 0)
        return -EINVAL;
    if (__builtin_add_overflow(offset, length, &end))
        return -EFBIG;
    struct file *file = file_of(INTEGER(0));
    if (file == NULL)
        return -EBADF;
    int error = !file_writable(file) ? -EBADF : -ENODEV;
    if (error == -ENODEV && vnode_is_file(file->vnode))
        error = UNSIGNED(1) != 0 ? -EOPNOTSUPP : 0;
    if (error == 0)
        error = vnode_allocate(file->vnode, end);
    file_release(file);
    return error;
}

int64_t sys_memfd_create(struct trap_frame *frame)
{
    enum { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, NAME_LIMIT = 249 };
    char *name;
    struct file *file;
    if ((UNSIGNED(1) & ~(unsigned)(MFD_CLOEXEC | MFD_ALLOW_SEALING)) != 0)
        return -EINVAL;
    int error = path_copy(POINTER(0), &name);
    if (error != 0)
        return error == -ENAMETOOLONG ? -EINVAL : error;
    bool too_long = strlen(name) > NAME_LIMIT;
    path_free(name);
    if (too_long)
        return -EINVAL;
    struct vnode *vnode = ramfs_create(S_IFREG | 0777);
    if (vnode == NULL)
        return -ENOMEM;
    error = file_open_vnode(vnode, O_RDWR, &file);
    vnode_release(vnode);
    if (error != 0)
        return error;
    return fd_install(file_state_current(), file, (UNSIGNED(1) & MFD_CLOEXEC) != 0, 0);
}
