/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <quire/host.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE VM_PAGE_SIZE

static struct disk *of(vm_store *store)
{
    return store->data;
}

/* Whether this call is one that fails. */
static bool takes(uint32_t *times)
{
    uint32_t left = __atomic_load_n(times, __ATOMIC_RELAXED);
    while (left > 0)
        if (__atomic_compare_exchange_n(times, &left, left - 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

static void rest(const struct disk *disk)
{
    for (unsigned i = 0; disk->slow && i < 3; i++)
        sched_yield();
}

/* The pages of [offset, ...) that the disk has, of `count`. */
static size_t inside(const struct disk *disk, off_t offset, size_t count)
{
    size_t first = (size_t)offset / PAGE;
    size_t left = first < disk->pages ? disk->pages - first : 0;
    return count < left ? count : left;
}

static int read_disk(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                     size_t *done)
{
    struct disk *disk = of(store);
    size_t pages = inside(disk, offset, count), first = (size_t)offset / PAGE;
    bool fails = takes(&disk->fail_reads);
    rest(disk);
    for (size_t i = 0; i < (fails ? pages / 2 : pages); i++) {
        if (disk->is_swap && !__atomic_load_n(&disk->written[first + i], __ATOMIC_ACQUIRE))
            disk->wrong = "a slot of swap was read that had not been written";
        memcpy(host_frame_ptr(frames[i]), disk->bytes + (first + i) * PAGE, PAGE);
        *done += PAGE;
    }
    return fails ? ERR_IO : VM_OK;
}

static int write_disk(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    struct disk *disk = of(store);
    size_t pages = inside(disk, offset, count), first = (size_t)offset / PAGE;
    bool fails = takes(&disk->fail_writes);
    rest(disk);
    for (size_t i = 0; i < (fails ? pages / 2 : pages); i++) {
        memcpy(disk->bytes + (first + i) * PAGE, host_frame_ptr(frames[i]), PAGE);
        __atomic_store_n(&disk->written[first + i], true, __ATOMIC_RELEASE);
        *done += PAGE;
    }
    return fails ? ERR_IO : VM_OK;
}

static void discard_disk(vm_store *store, off_t offset, size_t count)
{
    struct disk *disk = of(store);
    for (size_t i = 0; i < inside(disk, offset, count); i++)
        __atomic_store_n(&disk->written[(size_t)offset / PAGE + i], false, __ATOMIC_RELEASE);
}

static bool has_page(vm_store *store, off_t offset)
{
    return (size_t)offset / PAGE < of(store)->pages;
}

static off_t size_of_disk(vm_store *store)
{
    return (off_t)(of(store)->pages * PAGE);
}

static void destroy(vm_store *store)
{
    __atomic_fetch_add(&of(store)->destroyed, 1, __ATOMIC_ACQ_REL);
}

static const struct vm_store_ops file_ops = {.destroy = destroy,
                                             .has_page = has_page,
                                             .read = read_disk,
                                             .write = write_disk,
                                             .size = size_of_disk};
static const struct vm_store_ops swap_ops = {
    .destroy = destroy, .read = read_disk, .write = write_disk, .discard = discard_disk};

static void fill_with_pattern(struct disk *disk, uint64_t pattern)
{
    uint64_t *words = (uint64_t *)(void *)disk->bytes;
    for (size_t i = 0; i < disk->pages * PAGE / sizeof(*words); i++)
        words[i] = (i * sizeof(*words) / PAGE + 1) * pattern;
}

struct disk *disk_create(size_t pages, uint64_t pattern)
{
    struct disk *disk = calloc(1, sizeof(*disk));
    void *bytes = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool *written = calloc(pages, sizeof(*written));
    if (disk == NULL || bytes == MAP_FAILED || written == NULL)
        return NULL;
    *disk = (struct disk){.store = {.magic = VM_STORE_MAGIC,
                                    .ops = pattern != 0 ? &file_ops : &swap_ops,
                                    .data = disk},
                          .bytes = bytes,
                          .written = written,
                          .pages = pages,
                          .is_swap = pattern == 0};
    if (pattern != 0)
        fill_with_pattern(disk, pattern);
    return disk;
}

void disk_free(struct disk *disk)
{
    munmap(disk->bytes, disk->pages * PAGE);
    free(disk->written);
    free(disk);
}

bool disk_fails(const struct disk *disk)
{
    return __atomic_load_n(&disk->fail_reads, __ATOMIC_RELAXED) != 0 ||
           __atomic_load_n(&disk->fail_writes, __ATOMIC_RELAXED) != 0;
}
