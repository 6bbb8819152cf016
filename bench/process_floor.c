/* SPDX-License-Identifier: MIT */
/* The least that a process which pages itself can do by this mechanism: SIGBUS, pread, UFFDIO_COPY; pages go in
 * the order in which they came, 64 at once, and what was written is protected and written first. */
#include "process.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "../host/linux/uapi.h"

#define BATCH 64

static int file, uffd, self;
static unsigned char *base;
static size_t capacity;
static uint32_t *queue; /* pages in memory, a ring */
static size_t first, count;
static unsigned char *dirty;
static uint64_t faults;
static uint32_t lock;

static void protect(uint32_t page, bool on)
{
    struct qu_protect p = {{(uint64_t)(uintptr_t)(base + page * PAGE), PAGE},
                           on ? QU_PROTECT_WP : 0};
    if (ioctl(uffd, QU_IOC_PROTECT, &p) != 0)
        fail("UFFDIO_WRITEPROTECT");
}

static void write_page(uint32_t page)
{
    if (!dirty[page])
        return;
    protect(page, true);
    dirty[page] = 0;
    if (pwrite(file, base + page * PAGE, PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE)
        fail("pwrite");
}

static void evict(void)
{
    struct iovec ranges[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        uint32_t page = queue[(first + i) % capacity];
        write_page(page);
        ranges[i] = (struct iovec){base + page * PAGE, PAGE};
    }
    if (syscall(SYS_process_madvise, self, ranges, BATCH, MADV_DONTNEED, 0) != (long)(BATCH * PAGE))
        for (size_t i = 0; i < BATCH; i++)
            madvise(ranges[i].iov_base, PAGE, MADV_DONTNEED);
    first = (first + BATCH) % capacity;
    count -= BATCH;
}

static void bring(uint32_t page, bool write)
{
    static unsigned char buffer[PAGE] __attribute__((aligned(4096)));
    struct qu_copy copy = {(uint64_t)(uintptr_t)(base + page * PAGE), (uint64_t)(uintptr_t)buffer,
                           PAGE, write ? 0 : QU_COPY_WP, 0};
    if (count == capacity)
        evict();
    if (pread(file, buffer, PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE)
        fail("pread");
    dirty[page] = write;
    if (ioctl(uffd, QU_IOC_COPY, &copy) == 0) {
        queue[(first + count++) % capacity] = page;
    } else if (write) { /* it is there, read-only */
        dirty[page] = 1;
        protect(page, false);
    }
}

static void handle(int number, siginfo_t *info, void *context)
{
    const ucontext_t *u = context;
    (void)number;
    uint32_t none = 0;
    while (!__atomic_compare_exchange_n(&lock, &none, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        none = 0;
    faults++;
    bring((uint32_t)((size_t)((unsigned char *)info->si_addr - base) / PAGE),
          u->uc_mcontext.gregs[REG_ERR] & 2);
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void open_uffd(size_t size)
{
    struct qu_api api = {QU_API, QU_FEATURE_SIGBUS | QU_FEATURE_WP, 0};
    struct qu_register r = {
        {(uint64_t)(uintptr_t)base, size}, QU_REGISTER_MISSING | QU_REGISTER_WP, 0};
    uffd = (int)syscall(SYS_userfaultfd, QU_USER_MODE_ONLY);
    if (uffd < 0 || ioctl(uffd, QU_IOC_API, &api) != 0 || ioctl(uffd, QU_IOC_REGISTER, &r) != 0)
        fail("userfaultfd");
}

static unsigned char *start_floor(int fd, size_t size, size_t budget)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    file = fd;
    capacity = budget / PAGE / BATCH * BATCH;
    queue = calloc(capacity, sizeof *queue);
    dirty = calloc(size / PAGE, 1);
    base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                0);
    if (!queue || !dirty || base == MAP_FAILED)
        fail("the floor");
    madvise(base, size, MADV_NOHUGEPAGE);
    open_uffd(size);
    self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    sigaction(SIGBUS, &action, NULL);
    return base;
}

static void finish_floor(void)
{
    for (size_t i = 0; i < count; i++)
        write_page(queue[(first + i) % capacity]);
}

static uint64_t floor_faults(void)
{
    return faults;
}

const struct way way_floor = {"floor", 0, true, start_floor, NULL, finish_floor, floor_faults};
