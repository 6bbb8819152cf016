/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

static struct {
    const char *name;
    unsigned at, seen;
    bool on, for_good;
    int number;
    size_t longest;
    bool waits;
} plan;

void faults_at(const char *name, unsigned n, bool for_good, int number)
{
    plan.name = name;
    plan.at = n;
    plan.seen = 0;
    plan.on = true;
    plan.for_good = for_good;
    plan.number = number;
}

void faults_none(void)
{
    plan.on = false;
}

unsigned faults_seen(void)
{
    return plan.seen;
}

void faults_wait(bool wait)
{
    plan.waits = wait;
}

void faults_shorten(size_t longest)
{
    plan.longest = longest;
}

static bool fails(const char *name)
{
    if (!plan.on || (plan.name && strcmp(plan.name, name) != 0))
        return false;
    plan.seen++;
    errno = plan.number;
    return plan.seen == plan.at || (plan.for_good && plan.at != 0 && plan.seen > plan.at);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails("calloc") ? NULL : __real_calloc(count, size);
}

void *__real_mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    return fails("mmap") ? MAP_FAILED : __real_mmap64(at, size, protection, flags, file, offset);
}

int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice)
{
    return fails("madvise") ? -1 : __real_madvise(at, size, advice);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    return fails("open") ? -1 : __real_open64(path, flags, mode);
}

int __real_fcntl64(int file, int command, ...);
int __wrap_fcntl64(int file, int command, ...);
int __wrap_fcntl64(int file, int command, ...)
{
    va_list list;
    va_start(list, command);
    long argument = va_arg(list, long);
    va_end(list);
    return fails("fcntl") ? -1 : __real_fcntl64(file, command, argument);
}

int __real_fstat64(int file, struct stat *about);
int __wrap_fstat64(int file, struct stat *about);
int __wrap_fstat64(int file, struct stat *about)
{
    return fails("fstat") ? -1 : __real_fstat64(file, about);
}

int __real_ftruncate64(int file, off_t length);
int __wrap_ftruncate64(int file, off_t length);
int __wrap_ftruncate64(int file, off_t length)
{
    return fails("ftruncate") ? -1 : __real_ftruncate64(file, length);
}

int __real_fdatasync(int file);
int __wrap_fdatasync(int file);
int __wrap_fdatasync(int file)
{
    return fails("fdatasync") ? -1 : __real_fdatasync(file);
}

static struct iovec shortened(const struct iovec *piece)
{
    return (struct iovec){piece->iov_base,
                          piece->iov_len < plan.longest ? piece->iov_len : plan.longest};
}

ssize_t __real_preadv64(int file, const struct iovec *piece, int count, off_t offset);
ssize_t __wrap_preadv64(int file, const struct iovec *piece, int count, off_t offset);
ssize_t __wrap_preadv64(int file, const struct iovec *piece, int count, off_t offset)
{
    struct iovec part = shortened(piece);
    if (fails("preadv"))
        return -1;
    return plan.longest ? __real_preadv64(file, &part, 1, offset)
                        : __real_preadv64(file, piece, count, offset);
}

ssize_t __real_pread64(int file, void *at, size_t size, off_t offset);
ssize_t __wrap_pread64(int file, void *at, size_t size, off_t offset);
ssize_t __wrap_pread64(int file, void *at, size_t size, off_t offset)
{
    struct iovec part = shortened(&(struct iovec){at, size});
    if (fails("preadv"))
        return -1;
    return __real_pread64(file, at, plan.longest ? part.iov_len : size, offset);
}

ssize_t __real_preadv64v2(int file, const struct iovec *piece, int count, off_t offset, int flags);
ssize_t __wrap_preadv64v2(int file, const struct iovec *piece, int count, off_t offset, int flags);
ssize_t __wrap_preadv64v2(int file, const struct iovec *piece, int count, off_t offset, int flags)
{
    if (fails("preadv2"))
        return -1;
    if (plan.waits) {
        errno = EAGAIN;
        return -1;
    }
    return __real_preadv64v2(file, piece, count, offset, flags);
}

ssize_t __real_pwritev64(int file, const struct iovec *piece, int count, off_t offset);
ssize_t __wrap_pwritev64(int file, const struct iovec *piece, int count, off_t offset);
ssize_t __wrap_pwritev64(int file, const struct iovec *piece, int count, off_t offset)
{
    struct iovec part = shortened(piece);
    if (fails("pwritev"))
        return plan.number == 0 ? 0 : -1;
    return plan.longest ? __real_pwritev64(file, &part, 1, offset)
                        : __real_pwritev64(file, piece, count, offset);
}

ssize_t __real_pwrite64(int file, const void *at, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int file, const void *at, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int file, const void *at, size_t size, off_t offset)
{
    struct iovec part = shortened(&(struct iovec){(void *)(uintptr_t)at, size});
    if (fails("pwritev"))
        return plan.number == 0 ? 0 : -1;
    return __real_pwrite64(file, at, plan.longest ? part.iov_len : size, offset);
}

int __real_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    return fails("io_uring_queue_init") ? -plan.number
                                        : __real_io_uring_queue_init(entries, ring, flags);
}

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring)
{
    if (fails("io_uring_submit"))
        return -plan.number;
    if (fails("io_uring_sqe")) {
        struct io_uring_sqe *first = &ring->sq.sqes[ring->sq.sqe_head & *ring->sq.kring_mask];
        *(plan.number != 0 ? (uint32_t *)&first->fd : &first->len) =
            plan.number != 0 ? UINT32_MAX : 1;
    }
    return __real_io_uring_submit(ring);
}
