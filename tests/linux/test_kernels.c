/* SPDX-License-Identifier: MIT */
/* What other kernels say to the userfaultfd's calls. Before Linux 6.4 a range can't be protected that is several of its
 * mappings; any may tell a call to try again, when it has done a part of it. ioctl is wrapped (meson.build). */
#include "../../host/linux/uapi.h"

#include "support.h"

#include <sys/mman.h>

/* Whether an end of one of Linux's mappings is within. */
static bool is_cut(uint64_t first, uint64_t size)
{
    char line[400];
    unsigned long base, end;
    bool cut = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx ", &base, &end) == 2)
            cut |= end > first && end < first + size;
    fclose(maps);
    return cut;
}

static bool is_older, is_busy; /* before 6.4; says EAGAIN again and again */
static unsigned refused, put_off;

/* Every other call; a copy of several pages has done the first of them. */
int __real_ioctl(int file, unsigned long request, void *argument);
static int try_later(int file, unsigned long request, void *argument)
{
    struct qu_copy *copy = argument;
    if (request == (unsigned long)QU_IOC_COPY) {
        struct qu_copy first = *copy;
        first.len = PAGE;
        copy->copied = -EAGAIN;
        if (copy->len > PAGE && __real_ioctl(file, request, &first) == 0)
            copy->copied = (int64_t)PAGE;
    }
    put_off++;
    errno = EAGAIN;
    return -1;
}

static bool is_put_off(unsigned long request)
{
    static unsigned calls;
    bool is_ours =
        request == (unsigned long)QU_IOC_COPY || request == (unsigned long)QU_IOC_PROTECT;
    return is_busy && is_ours && __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 2;
}

int __wrap_ioctl(int file, unsigned long request, void *argument);
int __wrap_ioctl(int file, unsigned long request, void *argument)
{
    const struct qu_protect *range = argument;
    if (is_put_off(request))
        return try_later(file, request, argument);
    if (is_older && request == (unsigned long)QU_IOC_PROTECT &&
        is_cut(range->range.start, range->range.len)) {
        refused++;
        errno = ENOENT;
        return -1;
    }
    return __real_ioctl(file, request, argument);
}

/* A program locks a part of what a flush protects with one call. */
static void check_flush(size_t pages)
{
    unsigned char changed[32];
    struct test_store *store = store_create(pages);
    volatile unsigned char *at = map_store(store, 0);
    assert_int_equal(mlock2((void *)(at + 8 * PAGE), 4 * PAGE, MLOCK_ONFAULT), 0);
    for (size_t i = 0; i < pages; i++)
        write_page(at, i, i + 7);
    refused = 0;
    OK(quire_flush((void *)at, pages * PAGE));
    assert_true(refused > 0);
    for (size_t i = 0; i < pages; i++)
        assert_true(page_is(store->bytes, i, i + 7));
    write_page(at, 9, 3);
    OK(quire_changed((void *)at, 32 * PAGE, changed));
    assert_int_equal(changed[9], 1);
}

static void test_pages_of_several_mappings_are_flushed(void)
{
    is_older = true;
    check_flush(40);
    check_flush(1000);
}

static void test_calls_that_are_to_be_tried_again(void)
{
    void *copy;
    struct test_store *store = store_create(1000);
    struct quire_mapping mapping = {.store = &store->store, .size = 1000 * PAGE};
    void *address;
    add_swap(2000);
    OK(quire_map(&mapping, &address));
    volatile unsigned char *at = address, *memory = map_memory(1000);
    is_busy = true;
    for (size_t round = 1; round < 3; round++)
        for (size_t i = 0; i < 1000; i++) {
            assert_true(page_is(at, i, i + round));
            write_page(at, i, i + round + 1);
            write_page(memory, i, i + round);
        }
    OK(quire_snapshot((void *)memory, &copy));
    write_page(memory, 5, 77);
    assert_true(page_is(copy, 5, 7) && page_is(memory, 5, 77));
    OK(quire_flush(address, 1000 * PAGE));
    for (size_t i = 0; i < 1000; i++)
        assert_true(page_is(store->bytes, i, i + 3));
    assert_true(put_off > 1000);
}

LINUX_MAIN(TEST_MODES(test_calls_that_are_to_be_tried_again, .budget = 2 * MIB),
           TEST_MODES(test_pages_of_several_mappings_are_flushed, .budget = 8 * MIB))
