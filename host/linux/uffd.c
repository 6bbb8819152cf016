/* SPDX-License-Identifier: MIT */
/* The userfaultfd, and what else changes what Linux shows in regions. */
#include "regions.h"
#include "uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int self_fd = -1; /* a pidfd, where process_madvise may drop pages; else -1 */

/* ---- opening ------------------------------------------------------------------------------------ */

static int open_device(void)
{
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device < 0)
        return -1;
    int fd = ioctl(device, QU_DEVICE_NEW, O_CLOEXEC | O_NONBLOCK);
    close(device);
    return fd;
}

/* One that sees faults of the kernel, too, if this user may have it. */
static int open_any(bool user_only)
{
    int fd = -1;
    if (!user_only) {
        fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
        return fd >= 0 ? fd : open_device();
    }
    fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | QU_USER_MODE_ONLY);
    return fd >= 0 ? fd : open_any(false);
}

static int agree(int fd, uint64_t features)
{
    struct qu_api api = {QU_API, features, 0};
    return ioctl(fd, QU_IOC_API, &api);
}

/* What the kernel has can be asked once for each userfaultfd. */
static uint64_t known_features(bool user_only)
{
    struct qu_api api = {QU_API, 0, 0};
    int fd = open_any(user_only);
    if (fd < 0 || ioctl(fd, QU_IOC_API, &api) != 0)
        api.features = 0;
    if (fd >= 0)
        close(fd);
    return api.features;
}

/* Whether the kernel lets a process drop its own pages with process_madvise (Linux 6.13). */
static void probe_madvise(void)
{
    void *page =
        mmap(NULL, VM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec range = {page, VM_PAGE_SIZE};
    self_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (self_fd >= 0 && (page == MAP_FAILED || syscall(SYS_process_madvise, self_fd, &range, 1,
                                                       MADV_DONTNEED, 0) != (long)VM_PAGE_SIZE)) {
        close(self_fd);
        self_fd = -1;
    }
    if (page != MAP_FAILED)
        munmap(page, VM_PAGE_SIZE);
}

static const char *why_none(bool user_only, int error)
{
    if (error == EMFILE || error == ENFILE)
        return "userfaultfd: too many files are open";
    return user_only ? "userfaultfd: not permitted, or not in this kernel"
                     : "userfaultfd: faults of the kernel are not permitted to this user";
}

int uffd_open(enum quire_mode mode, const char **why)
{
    bool user_only = mode == QUIRE_MODE_SIGNAL;
    uint64_t known = known_features(user_only);
    uint64_t needed = QU_FEATURE_WP | (user_only ? QU_FEATURE_SIGBUS : 0u);
    uint64_t wanted =
        QU_FEATURE_POISON | QU_FEATURE_EXACT_ADDRESS | (user_only ? QU_FEATURE_EVENT_REMAP : 0u);
    uint64_t features = needed | (known & wanted);
    int fd = open_any(user_only);
    if (fd < 0) {
        *why = why_none(user_only, errno);
        return errno == EMFILE || errno == ENFILE ? ERR_NO_MEMORY : ERR_UNSUPPORTED;
    }
    if ((known & needed) != needed || agree(fd, features) != 0) {
        *why = "userfaultfd: this kernel lacks write protection or SIGBUS";
        close(fd);
        return ERR_UNSUPPORTED;
    }
    process.uffd[mode] = fd;
    process.features[mode] = features;
    if (self_fd < 0)
        probe_madvise();
    return VM_OK;
}

void uffd_close(enum quire_mode mode)
{
    if (process.uffd[mode] >= 0)
        close(process.uffd[mode]);
    process.uffd[mode] = -1;
}

void uffd_stop(void)
{
    for (enum quire_mode mode = 0; mode < MODES; mode++)
        uffd_close(mode);
    if (self_fd >= 0)
        close(self_fd);
    self_fd = -1;
}

int uffd_register(enum quire_mode mode, addr_t address, addr_t size)
{
    struct qu_register r = {{address, size}, QU_REGISTER_MISSING | QU_REGISTER_WP, 0};
    return ioctl(process.uffd[mode], QU_IOC_REGISTER, &r) == 0 ? VM_OK : ERR_NO_MEMORY;
}

/* That of the region at `address`: whoever waits for a page there is woken by no other. */
static int uffd_at(addr_t address)
{
    return process.uffd[region_mode(address)];
}

/* ---- what is shown ------------------------------------------------------------------------------ */

int uffd_copy_run(addr_t to, addr_t from, addr_t size, bool writable, addr_t *done)
{
    uint64_t mode = writable ? 0 : QU_COPY_WP;
    int uffd = uffd_at(to);
    *done = 0;
    while (*done < size) {
        struct qu_copy copy = {to + *done, from + *done, size - *done, mode, 0};
        if (ioctl(uffd, QU_IOC_COPY, &copy) == 0) {
            *done = size;
        } else if (errno != EAGAIN) {
            return errno == ENOMEM   ? ERR_NO_MEMORY
                   : errno == EEXIST ? ERR_TIMED_OUT
                                     : ERR_VM_PF_BAD_ADDRESS;
        } else if (copy.copied > 0) {
            *done += (addr_t)copy.copied;
        } else {
            sched_yield();
        }
    }
    return VM_OK;
}

int uffd_copy(addr_t to, addr_t from, bool writable)
{
    addr_t done;
    return uffd_copy_run(to, from, VM_PAGE_SIZE, writable, &done);
}

static bool try_protect_by(int uffd, addr_t address, addr_t size, uint64_t mode)
{
    struct qu_protect p = {{address, size}, mode};
    while (ioctl(uffd, QU_IOC_PROTECT, &p) != 0) {
        if (errno != EAGAIN)
            return false;
        sched_yield();
    }
    return true;
}

static bool try_protect(addr_t address, addr_t size, uint64_t mode)
{
    return try_protect_by(uffd_at(address), address, size, mode);
}

void uffd_protect_moved(addr_t address, addr_t size)
{
    if (!try_protect_by(process.uffd[QUIRE_MODE_SIGNAL], address, size, QU_PROTECT_WP))
        panic("UFFDIO_WRITEPROTECT fails at", (long)address);
}

bool uffd_try_protect(addr_t address, addr_t size)
{
    return try_protect(address, size, QU_PROTECT_WP);
}

void uffd_protect(addr_t address, addr_t size)
{
    if (!try_protect(address, size, QU_PROTECT_WP))
        panic("UFFDIO_WRITEPROTECT fails at", (long)address);
}

void uffd_unprotect(addr_t address)
{
    if (!try_protect(address, VM_PAGE_SIZE, 0))
        panic("UFFDIO_WRITEPROTECT fails at", (long)address);
}

void uffd_wake(addr_t address)
{
    struct qu_range range = {address, VM_PAGE_SIZE};
    if (region_mode(address) == QUIRE_MODE_HANDLER)
        (void)ioctl(process.uffd[QUIRE_MODE_HANDLER], QU_IOC_WAKE, &range);
}

bool uffd_poison(addr_t address)
{
    struct qu_poison poison = {{address, VM_PAGE_SIZE}, 0, 0};
    if (!(process.features[QUIRE_MODE_HANDLER] & QU_FEATURE_POISON))
        return false;
    while (ioctl(process.uffd[QUIRE_MODE_HANDLER], QU_IOC_POISON, &poison) != 0) {
        if (errno != EAGAIN)
            return false;
        sched_yield();
    }
    return true;
}

/* ---- what is dropped ---------------------------------------------------------------------------- */

/* What the program has locked with mlock stays locked, where Linux can do that (5.18). */
static bool zap_locked(const struct iovec *range)
{
    return madvise(range->iov_base, range->iov_len, QU_DONTNEED_LOCKED) == 0 ||
           (munlock(range->iov_base, range->iov_len) == 0 &&
            madvise(range->iov_base, range->iov_len, MADV_DONTNEED) == 0);
}

static void zap_range(const struct iovec *range)
{
    if (madvise(range->iov_base, range->iov_len, MADV_DONTNEED) != 0 && !zap_locked(range))
        panic("MADV_DONTNEED fails at", (long)(uintptr_t)range->iov_base);
}

void zap_page(addr_t address)
{
    struct iovec range = {(void *)address, VM_PAGE_SIZE};
    zap_range(&range);
}

/* Neighbours in the list that are neighbours in memory are one range. */
static size_t join(struct iovec *ranges, size_t count)
{
    size_t last = 0;
    for (size_t i = 1; i < count; i++) {
        char *end = (char *)ranges[last].iov_base + ranges[last].iov_len;
        if (ranges[i].iov_base == end)
            ranges[last].iov_len += ranges[i].iov_len;
        else
            ranges[++last] = ranges[i];
    }
    return count > 0 ? last + 1 : 0;
}

void zap(struct iovec *ranges, size_t count)
{
    size_t bytes = 0;
    count = join(ranges, count);
    for (size_t i = 0; i < count; i++)
        bytes += ranges[i].iov_len;
    if (count > 1 && self_fd >= 0 &&
        syscall(SYS_process_madvise, self_fd, ranges, count, MADV_DONTNEED, 0) == (long)bytes)
        return;
    for (size_t i = 0; i < count; i++)
        zap_range(&ranges[i]);
}
