/* SPDX-License-Identifier: MIT */
/* Reading and writing open files. */
#include "arguments.h"
#include <kernel/thread.h>
#include <quire/host.h>

enum { IOV_MAX = 1024, TRANSFER_MAX = 0x7ffff000, SENDFILE_CHUNK = 4096 };

typedef int64_t (*transfer)(struct file *file, void *buffer, size_t length, off_t *position);

static int64_t transfer_in(struct file *file, void *buffer, size_t length, off_t *position)
{
    return file_read(file, buffer, length, true, position);
}

static int64_t transfer_out(struct file *file, void *buffer, size_t length, off_t *position)
{
    return file_write(file, buffer, length, true, position);
}

/* As Linux has it: a bad descriptor first, then a buffer that can't be a program's. */
static int64_t transfer_one(int fd, void *buffer, size_t length, transfer function, bool reads)
{
    struct file *file = file_of(fd);
    int64_t result = -EBADF;
    if (file == NULL)
        return -EBADF;
    if (reads ? file_readable(file) : file_writable(file)) {
        if (!user_buffer_ok(buffer, length))
            result = -EFAULT;
        else
            result = function(file, buffer, length < TRANSFER_MAX ? length : TRANSFER_MAX, NULL);
    }
    file_release(file);
    return result;
}

int64_t sys_read(struct trap_frame *frame)
{
    return transfer_one(INTEGER(0), POINTER(1), SIZE(2), transfer_in, true);
}

int64_t sys_write(struct trap_frame *frame)
{
    return transfer_one(INTEGER(0), POINTER(1), SIZE(2), transfer_out, false);
}

static int64_t transfer_at(int fd, void *buffer, size_t length, off_t position, transfer function)
{
    if (position < 0)
        return -EINVAL;
    struct file *file = file_of(fd);
    if (file == NULL)
        return -EBADF;
    int64_t result = -ESPIPE;
    if (file->ops->seekable && !user_buffer_ok(buffer, length))
        result = -EFAULT;
    else if (file->ops->seekable)
        result = function(file, buffer, length < TRANSFER_MAX ? length : TRANSFER_MAX, &position);
    file_release(file);
    return result;
}

int64_t sys_pread64(struct trap_frame *frame)
{
    return transfer_at(INTEGER(0), POINTER(1), SIZE(2), (off_t)ARGUMENT(3), transfer_in);
}

int64_t sys_pwrite64(struct trap_frame *frame)
{
    return transfer_at(INTEGER(0), POINTER(1), SIZE(2), (off_t)ARGUMENT(3), transfer_out);
}

/* Copies the vector and checks all of it before anything is moved. */
static int copy_vector(const void *user, size_t count, struct linux_iovec **result)
{
    size_t total = 0;
    if (count > IOV_MAX)
        return -EINVAL;
    struct linux_iovec *vector = vm_meta_alloc(count * sizeof(*vector));
    if (vector == NULL)
        return -ENOMEM;
    int error = copy_from_user(vector, user, count * sizeof(*vector));
    for (size_t i = 0; error == 0 && i < count; i++) {
        if (vector[i].iov_len > INT64_MAX)
            error = -EINVAL;
        else if (!user_buffer_ok(vector[i].iov_base, vector[i].iov_len))
            error = -EFAULT;
        else if (vector[i].iov_len > TRANSFER_MAX - total)
            vector[i].iov_len = TRANSFER_MAX - total;
        if (error == 0)
            total += vector[i].iov_len;
    }
    if (error != 0)
        vm_meta_free(vector, count * sizeof(*vector));
    *result = vector;
    return error;
}

static int64_t transfer_parts(struct file *file, const struct linux_iovec *vector, size_t count,
                              transfer function)
{
    int64_t done = 0;
    for (size_t i = 0; i < count; i++) {
        if (vector[i].iov_len == 0)
            continue;
        int64_t part = function(file, vector[i].iov_base, vector[i].iov_len, NULL);
        if (part < 0)
            return done > 0 ? done : part;
        done += part;
        if ((size_t)part < vector[i].iov_len)
            break;
    }
    return done;
}

static int64_t transfer_vector(int fd, const void *user, size_t count, transfer function,
                               bool reads)
{
    struct linux_iovec *vector;
    struct file *file = file_of(fd);
    if (file == NULL)
        return -EBADF;
    int64_t result = -EBADF;
    if (reads ? file_readable(file) : file_writable(file)) {
        result = count == 0 ? 0 : copy_vector(user, count, &vector);
        if (result == 0 && count > 0) {
            result = transfer_parts(file, vector, count, function);
            vm_meta_free(vector, count * sizeof(*vector));
        }
    }
    file_release(file);
    return result;
}

int64_t sys_readv(struct trap_frame *frame)
{
    return transfer_vector(INTEGER(0), POINTER(1), SIZE(2), transfer_in, true);
}

int64_t sys_writev(struct trap_frame *frame)
{
    return transfer_vector(INTEGER(0), POINTER(1), SIZE(2), transfer_out, false);
}

/* Through a page of the kernel's. What was read and can't be written is put back. */
static int64_t send(struct file *out, struct file *in, off_t *position, size_t length)
{
    int64_t done = 0, result = 0;
    char *chunk = vm_meta_alloc(SENDFILE_CHUNK);
    if (chunk == NULL)
        return -ENOMEM;
    while ((size_t)done < length && !thread_should_stop(WAIT_KILLABLE)) {
        size_t size =
            length - (size_t)done < SENDFILE_CHUNK ? length - (size_t)done : SENDFILE_CHUNK;
        off_t before = *position;
        result = file_read(in, chunk, size, false, position);
        if (result <= 0)
            break;
        int64_t wanted = result;
        result = file_write(out, chunk, (size_t)wanted, false, NULL);
        *position = before + (result > 0 ? result : 0);
        if (result <= 0)
            break;
        done += result;
        if (result < wanted)
            break;
    }
    vm_meta_free(chunk, SENDFILE_CHUNK);
    return done > 0 ? done : result;
}

static off_t get_position(struct file *file)
{
    mutex_lock(&file->position_lock);
    off_t position = file->position;
    mutex_unlock(&file->position_lock);
    return position;
}

static void set_position(struct file *file, off_t position)
{
    mutex_lock(&file->position_lock);
    file->position = position;
    mutex_unlock(&file->position_lock);
}

static int64_t sendfile(struct file *out, struct file *in, void *user_offset, size_t length)
{
    off_t position;
    if (!file_readable(in) || !file_writable(out))
        return -EBADF;
    if (!in->ops->seekable || vnode_type(in->vnode) == S_IFDIR)
        return -EINVAL;
    if (user_offset != NULL) {
        if (copy_from_user(&position, user_offset, sizeof(position)) != 0)
            return -EFAULT;
        if (position < 0)
            return -EINVAL;
        int64_t result = send(out, in, &position, length);
        return copy_to_user(user_offset, &position, sizeof(position)) != 0 ? -EFAULT : result;
    }
    /* Not under the lock: `out` may be the same file, or one that others send the other way. */
    position = get_position(in);
    int64_t result = send(out, in, &position, length);
    set_position(in, position);
    return result;
}

int64_t sys_sendfile(struct trap_frame *frame)
{
    struct file *out = file_of(INTEGER(0)), *in = file_of(INTEGER(1));
    size_t length = SIZE(3) < TRANSFER_MAX ? SIZE(3) : TRANSFER_MAX;
    int64_t result = -EBADF;
    if (out != NULL && in != NULL)
        result = sendfile(out, in, POINTER(2), length);
    if (out != NULL)
        file_release(out);
    if (in != NULL)
        file_release(in);
    return result;
}

static int64_t seek(struct file *file, off_t offset, int whence)
{
    off_t size = host_vnode_size(file->vnode), base;
    switch (whence) {
    case SEEK_SET:
        base = 0;
        break;
    case SEEK_CUR:
        base = file->position;
        break;
    case SEEK_END:
        base = size;
        break;
    case SEEK_DATA:
    case SEEK_HOLE:
        /* All of a file is data; the only hole begins at its end. */
        if (offset < 0 || offset >= size)
            return -ENXIO;
        base = whence == SEEK_HOLE ? size - offset : 0;
        break;
    default:
        return -EINVAL;
    }
    if (__builtin_add_overflow(base, offset, &base))
        return -EOVERFLOW;
    if (base < 0)
        return -EINVAL;
    file->position = base;
    return base;
}

int64_t sys_lseek(struct trap_frame *frame)
{
    struct file *file = file_of(INTEGER(0));
    int64_t result = -ESPIPE;
    if (file == NULL)
        return -EBADF;
    if (file->ops->seekable) {
        mutex_lock(&file->position_lock);
        result = seek(file, (off_t)ARGUMENT(1), INTEGER(2));
        mutex_unlock(&file->position_lock);
    }
    file_release(file);
    return result;
}

int64_t sys_ioctl(struct trap_frame *frame)
{
    enum { FIONBIO = 0x5421, FIOCLEX = 0x5451, FIONCLEX = 0x5450 };
    struct file *file = file_of(INTEGER(0));
    unsigned request = UNSIGNED(1);
    int64_t result = -ENOTTY;
    int value;
    if (file == NULL)
        return -EBADF;
    if (request == FIOCLEX || request == FIONCLEX) {
        (void)fd_close_on_exec(file_state_current(), INTEGER(0), request == FIOCLEX);
        result = 0;
    } else if (request == FIONBIO) {
        result = copy_from_user(&value, POINTER(2), sizeof(value));
        if (result == 0 && value != 0)
            __atomic_or_fetch(&file->flags, O_NONBLOCK, __ATOMIC_RELAXED);
        else if (result == 0)
            __atomic_and_fetch(&file->flags, ~O_NONBLOCK, __ATOMIC_RELAXED);
    } else if (file->ops->ioctl != NULL) {
        result = file->ops->ioctl(file, request, ARGUMENT(2));
    }
    file_release(file);
    return result;
}
