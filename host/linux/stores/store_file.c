/* SPDX-License-Identifier: MIT */
/* A range of a file. Descriptors are read and written at offsets, so nothing is locked. What isn't in the file
 * any more is found by the read that ends early, and by asking before each write. */
#define _GNU_SOURCE
#include "store_common.h"
#include "store_fresh.h"
#include "store_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RUN VM_MOST_AHEAD /* frames a system call gets */
#define LONG                                                                                       \
    16 /* more than that is read ahead: nobody waits, so it is one request, which costs least */
#define FLAGS (VM_STORE_FILE_WRITABLE | VM_STORE_FILE_CREATE | VM_STORE_FILE_NO_RING)

enum { CLOSED = -1, NONE = -2, OPENING = -3 };

struct file_store {
    vm_store store;
    int descriptor;
    int far; /* for long reads, or a word on it; where there is none, the other one does; atomic */
    bool writable;
    off_t offset;
    off_t length; /* atomic; only gets less */
    struct store_fresh fresh;
    struct store_ring *ring;
    int last_errno; /* atomic */
};

static int error_of(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
    case ETXTBSY:
        return ERR_PERMISSION_DENIED;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return ERR_NO_MEMORY;
    case EBADF:
    case EISDIR:
        return ERR_INVALID_ARGS;
    default:
        return ERR_IO;
    }
}

/* A write behind RLIMIT_FSIZE is a signal, too, which would end the process as soon as it isn't blocked any more. */
static void take_signal_of_limit(void)
{
    static const struct timespec now = {0, 0};
    int saved = errno;
    sigset_t blocked, only;
    sigemptyset(&only);
    sigaddset(&only, SIGXFSZ);
    if (pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0 && sigismember(&blocked, SIGXFSZ) == 1)
        (void)sigtimedwait(&only, NULL, &now);
    errno = saved;
}

static int failed(struct file_store *file)
{
    if (errno == EFBIG)
        take_signal_of_limit();
    __atomic_store_n(&file->last_errno, errno, __ATOMIC_RELAXED);
    return ERR_IO;
}

/* ---- where it ends ------------------------------------------------------------------------------ */

static off_t file_size(vm_store *store)
{
    struct file_store *file = store->data;
    return __atomic_load_n(&file->length, __ATOMIC_RELAXED);
}

/* In bytes; -1 with errno. */
static off_t length_of(int descriptor)
{
    struct stat about;
    uint64_t bytes;
    if (fstat(descriptor, &about) != 0)
        return -1;
    if (S_ISREG(about.st_mode))
        return about.st_size;
    if (S_ISBLK(about.st_mode))
        return ioctl(descriptor, BLKGETSIZE64, &bytes) == 0 ? (off_t)bytes : -1;
    errno = EISDIR;
    return -1;
}

/* Looks where the file ends now. False: that can't be known. */
static bool look_again(struct file_store *file)
{
    off_t now = length_of(file->descriptor);
    if (now < 0)
        return false;
    off_t ours = now > file->offset ? now - file->offset : 0;
    off_t known = file_size(&file->store);
    while (ours < known && !__atomic_compare_exchange_n(&file->length, &known, ours, false,
                                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return true;
}

/* The file ended at `end`, and has been made longer. */
static int begin_fresh(struct file_store *file, off_t end)
{
    off_t kept = end > file->offset ? end - file->offset : 0;
    return store_fresh_begin(&file->fresh, ((size_t)kept + VM_PAGE_MASK) >> VM_PAGE_SHIFT,
                             ((size_t)file->length + VM_PAGE_MASK) >> VM_PAGE_SHIFT)
               ? VM_OK
               : ERR_NO_MEMORY;
}

/* ---- reading and writing ------------------------------------------------------------------------ */

struct transfer {
    struct file_store *file;
    off_t at; /* in the store */
    struct iovec piece[RUN];
    size_t count, first; /* pieces before `first` are done */
    size_t done, wanted;
    size_t last; /* bytes of the last page */
};

/* Frames that lie next to each other are one piece: Linux looks at each. */
static void join(struct transfer *t)
{
    size_t last = 0;
    for (size_t i = 1; i < t->count; i++) {
        const struct iovec *next = &t->piece[i];
        if ((char *)t->piece[last].iov_base + t->piece[last].iov_len == next->iov_base)
            t->piece[last].iov_len += next->iov_len;
        else
            t->piece[++last] = *next;
    }
    t->count = last + 1;
}

static void begin(struct transfer *t, struct file_store *file, off_t offset, const addr_t *frames,
                  size_t count)
{
    off_t left = file_size(&file->store) - offset;
    t->file = file;
    t->at = offset;
    t->count = t->first = t->done = t->wanted = 0;
    for (size_t i = 0; i < count && i < RUN && left > 0; i++, left -= (off_t)VM_PAGE_SIZE) {
        t->last = left < (off_t)VM_PAGE_SIZE ? (size_t)left : VM_PAGE_SIZE;
        t->piece[t->count++] = (struct iovec){host_frame_ptr(frames[i]), t->last};
        t->wanted += t->last;
    }
    if (t->count > LONG)
        join(t);
}

static void advance(struct transfer *t, size_t bytes)
{
    t->done += bytes;
    while (bytes > 0) {
        struct iovec *piece = &t->piece[t->first];
        size_t now = bytes < piece->iov_len ? bytes : piece->iov_len;
        piece->iov_base = (uint8_t *)piece->iov_base + now;
        piece->iov_len -= now;
        bytes -= now;
        t->first += piece->iov_len == 0;
    }
}

/* Another one of the same file, of whose reads Linux reads no more than is asked for: who reads ahead knows how much, and
 * several windows of Linux's beside each other take memory that a cgroup may not have. */
static int open_far(const struct file_store *file)
{
    char path[32];
    int flags = fcntl(file->descriptor, F_GETFL);
    if (flags < 0 || (flags & O_DIRECT))
        return NONE;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file->descriptor);
    int far = open(path, O_RDONLY | O_CLOEXEC);
    if (far < 0)
        return NONE;
    (void)posix_fadvise(far, 0, 0, POSIX_FADV_RANDOM);
    return far;
}

/* One thread opens it, and nobody closes it before the end: that would end the program's locks of the file (fcntl). */
static int far_of(struct file_store *file)
{
    int far = CLOSED;
    if (__atomic_compare_exchange_n(&file->far, &far, OPENING, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_ACQUIRE)) {
        far = open_far(file);
        __atomic_store_n(&file->far, far, __ATOMIC_RELEASE);
    }
    return far >= 0 ? far : file->descriptor;
}

typedef ssize_t transfer_call(int descriptor, const struct iovec *piece, int count, off_t offset);

/* Until all is transferred, or nothing more is: then it stops with VM_OK. */
static int transfer(struct transfer *t, int descriptor, transfer_call *call)
{
    while (t->done < t->wanted) {
        ssize_t now = call(descriptor, t->piece + t->first, (int)(t->count - t->first),
                           t->file->offset + t->at + (off_t)t->done);
        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0)
            return failed(t->file);
        if (now == 0)
            break;
        advance(t, (size_t)now);
    }
    return VM_OK;
}

/* Of one piece Linux has nothing to copy or to check. */
static ssize_t read_pieces(int descriptor, const struct iovec *piece, int count, off_t offset)
{
    return count == 1 ? pread(descriptor, piece->iov_base, piece->iov_len, offset)
                      : preadv(descriptor, piece, count, offset);
}

static ssize_t write_pieces(int descriptor, const struct iovec *piece, int count, off_t offset)
{
    return count == 1 ? pwrite(descriptor, piece->iov_base, piece->iov_len, offset)
                      : pwritev(descriptor, piece, count, offset);
}

/* What is in the page cache costs less without the ring. */
static ssize_t read_at_once(int descriptor, const struct iovec *piece, int count, off_t offset)
{
    ssize_t done = preadv2(descriptor, piece, count, offset, RWF_NOWAIT);
    return done < 0 ? 0 : done;
}

/* Whether the file ends so many bytes before the transfer does, in its last page: then that is still there. */
static bool is_cut_in_last(const struct transfer *t, size_t missing)
{
    return missing < t->last && t->at + (off_t)(t->wanted - missing) == file_size(&t->file->store);
}

static int read_run(struct transfer *t)
{
    bool is_long = t->wanted > LONG * VM_PAGE_SIZE;
    if (t->file->ring && t->count > 1 && !is_long) {
        (void)transfer(t, t->file->descriptor, read_at_once);
        if (t->count - t->first > 1)
            advance(t, store_ring_read(t->file->ring, t->file->descriptor,
                                       t->file->offset + t->at + (off_t)t->done,
                                       t->piece + t->first, t->count - t->first));
    }
    int error = transfer(t, is_long ? far_of(t->file) : t->file->descriptor, read_pieces);
    if (error != VM_OK || t->done == t->wanted)
        return error;
    if (!look_again(t->file))
        return failed(t->file);
    return is_cut_in_last(t, t->wanted - t->done) ? VM_OK : ERR_VM_PF_PAST_END;
}

/* What is behind the file's end is left out, if that is in the last page. */
static bool cut_at_end(struct transfer *t)
{
    off_t missing = t->at + (off_t)t->wanted - file_size(&t->file->store);
    if (missing > 0 && !is_cut_in_last(t, (size_t)missing))
        return false;
    if (missing > 0) {
        t->piece[t->count - 1].iov_len -= (size_t)missing;
        t->wanted -= (size_t)missing;
    }
    return true;
}

/* Linux appends what is written anywhere, and the flag is that of every copy of the descriptor. */
static bool appends(const struct file_store *file)
{
    return fcntl(file->descriptor, F_GETFL) & O_APPEND;
}

static int write_run(struct transfer *t)
{
    if (!look_again(t->file))
        return failed(t->file);
    if (!cut_at_end(t))
        return ERR_VM_PF_PAST_END;
    if (appends(t->file)) {
        errno = EINVAL;
        return failed(t->file);
    }
    int error = transfer(t, t->file->descriptor, write_pieces);
    return error == VM_OK && t->done < t->wanted ? ERR_IO : error;
}

static int run_all(struct file_store *file, off_t offset, const addr_t *frames, size_t count,
                   size_t *done, int (*run)(struct transfer *t))
{
    size_t pages = ((size_t)file_size(&file->store) + VM_PAGE_MASK) >> VM_PAGE_SHIFT;
    *done = 0;
    int error = store_clamp(offset, &count, pages);
    for (size_t i = 0; error == VM_OK && i < count; i += RUN) {
        struct transfer t;
        begin(&t, file, offset + (off_t)(i * VM_PAGE_SIZE), frames + i, count - i);
        error = t.count > 0 ? run(&t) : ERR_VM_PF_PAST_END;
        *done += t.done;
    }
    return error;
}

static int file_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                     size_t *done)
{
    return run_all(store->data, offset, frames, count, done, read_run);
}

static int file_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    struct file_store *file = store->data;
    *done = 0;
    if (!file->writable)
        return ERR_PERMISSION_DENIED;
    size_t inside = count, pages = ((size_t)file_size(store) + VM_PAGE_MASK) >> VM_PAGE_SHIFT;
    if (store_clamp(offset, &inside, pages) == VM_OK)
        store_fresh_use(&file->fresh, store_page_of(offset), inside);
    return run_all(file, offset, frames, count, done, write_run);
}

/* Room isn't promised, but that one may write. */
static int file_commit(vm_store *store, off_t size)
{
    const struct file_store *file = store->data;
    return size > 0 && !file->writable ? ERR_PERMISSION_DENIED : VM_OK;
}

static bool file_has_page(vm_store *store, off_t offset)
{
    const struct file_store *file = store->data;
    return offset >= 0 && offset < file_size(store) &&
           store_fresh_is_used(&file->fresh, store_page_of(offset));
}

static void file_destroy(vm_store *store)
{
    struct file_store *file = store->data;
    store_ring_destroy(file->ring);
    store_fresh_end(&file->fresh);
    if (file->far >= 0)
        (void)close(file->far);
    (void)close(file->descriptor);
    free(file);
}

static const struct vm_store_ops file_ops = {
    .destroy = file_destroy,
    .commit = file_commit,
    .has_page = file_has_page,
    .read = file_read,
    .write = file_write,
    .size = file_size,
};

/* ---- beginning and the rest --------------------------------------------------------------------- */

static int open_descriptor(const struct vm_store_file_options *options)
{
    int mode = options->flags & VM_STORE_FILE_WRITABLE ? O_RDWR : O_RDONLY;
    int create = options->flags & VM_STORE_FILE_CREATE ? O_CREAT : 0;
    if (!options->path)
        return fcntl(options->descriptor, F_DUPFD_CLOEXEC, 0);
    /* A pipe would make us wait for its other end. */
    int descriptor = open(options->path, mode | create | O_CLOEXEC | O_NONBLOCK, 0600);
    if (descriptor >= 0)
        (void)fcntl(descriptor, F_SETFL, 0);
    return descriptor;
}

/* What is appended to goes elsewhere than it should. */
static int check_mode(int descriptor, bool writable)
{
    int mode = fcntl(descriptor, F_GETFL);
    if (mode < 0)
        return error_of(errno);
    if (writable && (mode & O_APPEND))
        return ERR_INVALID_ARGS;
    return (mode & O_ACCMODE) == O_RDWR || (!writable && (mode & O_ACCMODE) == O_RDONLY)
               ? VM_OK
               : ERR_PERMISSION_DENIED;
}

static bool is_valid(const struct vm_store_file_options *options)
{
    bool create = options->flags & VM_STORE_FILE_CREATE;
    bool writable = options->flags & VM_STORE_FILE_WRITABLE;
    return !(options->flags & ~FLAGS) && options->offset >= 0 && options->length >= 0 &&
           options->offset <= INT64_MAX - options->length &&
           (!create || (writable && options->length > 0));
}

/* Who creates a store has no signals blocked. */
static int make_longer(int descriptor, off_t end)
{
    sigset_t only, before;
    int error = VM_OK;
    sigemptyset(&only);
    sigaddset(&only, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &only, &before);
    if (ftruncate(descriptor, end) != 0)
        error = error_of(errno);
    if (error != VM_OK && errno == EFBIG && sigismember(&before, SIGXFSZ) == 0)
        take_signal_of_limit();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Sets the store's length, and makes the file that long where it may. */
static int fit(struct file_store *file, const struct vm_store_file_options *options)
{
    off_t now = length_of(file->descriptor), end = options->offset + options->length;
    off_t before = now;
    if (now < 0)
        return error_of(errno);
    if (now < end && (options->flags & VM_STORE_FILE_CREATE)) {
        int error = make_longer(file->descriptor, end);
        if (error != VM_OK)
            return error;
        now = end;
    }
    if (options->length == 0)
        end = now;
    if (end > now || end <= options->offset)
        return ERR_INVALID_ARGS;
    file->offset = options->offset;
    file->length = end - options->offset;
    return before < now ? begin_fresh(file, before) : VM_OK;
}

/* Where a read can't say that it would wait (tmpfs), each one in a ring is another thread's of the kernel. */
static bool ring_is_of_use(const struct file_store *file)
{
    char byte;
    struct iovec piece = {&byte, 1};
    return preadv2(file->descriptor, &piece, 1, file->offset, RWF_NOWAIT) >= 0 ||
           errno != EOPNOTSUPP;
}

int vm_store_create_file(const struct vm_store_file_options *options, vm_store **store)
{
    if (!options || !store || !is_valid(options))
        return ERR_INVALID_ARGS;
    struct file_store *file = calloc(1, sizeof *file);
    if (!file)
        return ERR_NO_MEMORY;
    file->store = (vm_store){.magic = VM_STORE_MAGIC, .ops = &file_ops, .data = file};
    file->writable = options->flags & VM_STORE_FILE_WRITABLE;
    file->far = CLOSED;
    file->descriptor = open_descriptor(options);
    int error =
        file->descriptor < 0 ? error_of(errno) : check_mode(file->descriptor, file->writable);
    if (error == VM_OK)
        error = fit(file, options);
    if (error != VM_OK) {
        if (file->descriptor >= 0)
            (void)close(file->descriptor);
        free(file);
        return error;
    }
    if (!(options->flags & VM_STORE_FILE_NO_RING) && ring_is_of_use(file))
        file->ring = store_ring_create();
    *store = &file->store;
    return VM_OK;
}

void vm_store_file_info(vm_store *store, struct vm_store_file_info *info)
{
    struct file_store *file = store->data;
    *info = (struct vm_store_file_info){.length = file_size(store),
                                        .ring = file->ring != NULL,
                                        .last_errno =
                                            __atomic_load_n(&file->last_errno, __ATOMIC_RELAXED)};
}

int vm_store_file_sync(vm_store *store)
{
    struct file_store *file = store->data;
    while (fdatasync(file->descriptor) != 0)
        if (errno != EINTR)
            return failed(file);
    return VM_OK;
}
