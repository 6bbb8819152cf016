/* SPDX-License-Identifier: MIT */
/* What Linux before 6.4 can't: write protection of a range that is several of its mappings. Calls of ioctl are wrapped
 * (meson.build). */
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

static unsigned refused;

int __real_ioctl(int file, unsigned long request, void *argument);
int __wrap_ioctl(int file, unsigned long request, void *argument);
int __wrap_ioctl(int file, unsigned long request, void *argument)
{
    const struct qu_protect *range = argument;
    if (request == (unsigned long)QU_IOC_PROTECT && is_cut(range->range.start, range->range.len)) {
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
    check_flush(40);
    check_flush(1000);
}

LINUX_MAIN(TEST_MODES(test_pages_of_several_mappings_are_flushed, .budget = 8 * MIB))
