/* SPDX-License-Identifier: MIT */
/* Open files, and what reading and writing do for regular files and directories. */
#include "file.h"
#include <kernel/string.h>

struct event poll_event;

/* What O_PATH opens: a place, not a file. */
static const struct file_ops path_file_ops = {.seekable = false};

static struct file *file_create(struct vnode *vnode, unsigned flags)
{
    struct file *file = vm_meta_alloc(sizeof(*file));
    if (file == NULL)
        return NULL;
    memset(file, 0, sizeof(*file));
    file->references = 1;
    file->flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
    vnode_acquire(vnode);
    file->vnode = vnode;
    return file;
}

static void file_free(struct file *file)
{
    vnode_release(file->vnode);
    vm_meta_free(file, sizeof(*file));
}

int file_open_vnode(struct vnode *vnode, unsigned flags, struct file **result)
{
    struct file *file = file_create(vnode, flags);
    int error = 0;
    *result = NULL;
    if (file == NULL)
        return -ENOMEM;
    if ((flags & O_PATH) != 0)
        file->ops = &path_file_ops;
    else
        error = vnode->ops->open != NULL ? vnode->ops->open(file) : -ENXIO;
    if (error != 0) {
        file_free(file);
        return error;
    }
    (void)file_take_write_error(file);
    *result = file;
    return 0;
}

void file_acquire(struct file *file)
{
    __atomic_add_fetch(&file->references, 1, __ATOMIC_RELAXED);
}

void file_release(struct file *file)
{
    if (__atomic_sub_fetch(&file->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (file->ops->close != NULL)
        file->ops->close(file);
    file_free(file);
}

int64_t file_read(struct file *file, void *buffer, size_t length, bool user, off_t *position)
{
    if (!file_readable(file))
        return -EBADF;
    if (file->ops->read == NULL)
        return -EINVAL;
    if (position != NULL || !file->ops->seekable)
        return file->ops->read(file, buffer, length, user, position);
    mutex_lock(&file->position_lock);
    int64_t result = file->ops->read(file, buffer, length, user, &file->position);
    mutex_unlock(&file->position_lock);
    return result;
}

int64_t file_write(struct file *file, const void *buffer, size_t length, bool user, off_t *position)
{
    if (!file_writable(file))
        return -EBADF;
    if (file->ops->write == NULL)
        return -EINVAL;
    if (position != NULL || !file->ops->seekable)
        return file->ops->write(file, buffer, length, user, position);
    mutex_lock(&file->position_lock);
    int64_t result = file->ops->write(file, buffer, length, user, &file->position);
    mutex_unlock(&file->position_lock);
    return result;
}

unsigned file_poll(struct file *file)
{
    if (file->ops->poll != NULL)
        return file->ops->poll(file);
    return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

int file_take_write_error(struct file *file)
{
    return vnode_take_write_error(file->vnode, &file->write_errors_seen);
}

int file_sync(struct file *file)
{
    int error = vnode_sync(file->vnode, 0, INT64_MAX), before = file_take_write_error(file);
    return error != 0 ? error : before;
}

static int64_t regular_read(struct file *file, void *buffer, size_t length, bool user,
                            off_t *position)
{
    int64_t result = vnode_read(file->vnode, *position, buffer, length, user);
    if (result > 0)
        *position += result;
    return result;
}

/* O_SYNC and O_DSYNC: the bytes are where they belong before the call returns. */
static int64_t regular_write(struct file *file, const void *buffer, size_t length, bool user,
                             off_t *position)
{
    unsigned flags = file_flags(file);
    int64_t done =
        vnode_write(file->vnode, position, buffer, length, user, (flags & O_APPEND) != 0);
    int error = 0;
    if (done > 0 && (flags & (O_DSYNC | O_SYNC)) != 0)
        error = vnode_sync(file->vnode, *position - done, *position - 1);
    return error != 0 ? error : done;
}

const struct file_ops regular_file_ops = {
    .read = regular_read,
    .write = regular_write,
    .seekable = true,
};

static int64_t directory_read(struct file *file, void *buffer, size_t length, bool user,
                              off_t *position)
{
    (void)file, (void)buffer, (void)length, (void)user, (void)position;
    return -EISDIR;
}

const struct file_ops directory_file_ops = {.read = directory_read, .seekable = true};
