/* SPDX-License-Identifier: MIT */
/* mmap at given addresses: MAP_FIXED, MAP_FIXED_NOREPLACE, hints. */
#include "cases.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define FIXED (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define NO_REPLACE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE)

static void *fixed(void *address, size_t size)
{
    return mmap(address, size, RW, FIXED, -1, 0);
}

static void bad_addresses(void)
{
    uint8_t *memory = map_pages(1);
    say_mapped("unaligned", fixed(memory + 1, PAGE));
    say_mapped("kernel", fixed((void *)0xffff800000000000, PAGE));
    say_mapped("the last page there is", fixed((void *)0xfffffffffffff000, PAGE));
    say_mapped("not canonical", fixed(NON_CANONICAL, PAGE));
    say_mapped("over the end of user space", fixed((void *)0x7fffffffe000, 4 * PAGE));
    say_mapped("wrapping", fixed(memory, (size_t) - (uintptr_t)memory));
    READ("the page there is still there", memory);
}

static void over_the_middle(void)
{
    uint8_t *memory = map_pages(5);
    fill_pages(memory, 5, 1);
    say_whether("in place", fixed(memory + PAGE, 2 * PAGE) == memory + PAGE);
    say_pages("pages", memory, 5);
}

static void over_the_beginning(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    say_whether("in place", fixed(memory, 2 * PAGE) == memory);
    say_pages("pages", memory, 4);
}

static void over_the_end(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    say_whether("in place", fixed(memory + 2 * PAGE, 2 * PAGE) == memory + 2 * PAGE);
    say_pages("pages", memory, 4);
}

static void over_several(void)
{
    uint8_t *memory = map_pages(9);
    fill_pages(memory, 9, 1);
    CALL("a hole", munmap(memory + 2 * PAGE, PAGE));
    CALL("a read-only page", mprotect(memory + 4 * PAGE, PAGE, PROT_READ));
    say_whether("in place", fixed(memory + PAGE, 6 * PAGE) == memory + PAGE);
    say_pages("pages", memory, 9);
    WRITE("where it was read-only", memory + 4 * PAGE);
}

static void file_over_anonymous(void)
{
    int file = make_file("tmp/over", 2 * PAGE);
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 10);
    void *there = mmap(memory + PAGE, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
    say_whether("in place", there == memory + PAGE);
    say_pages("pages", memory, 4);
    WRITE("the file's page", memory + PAGE);
}

static void failed_replacement(void)
{
    uint8_t *memory = map_pages(3);
    fill_pages(memory, 3, 1);
    void *bad = mmap(memory, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, 12345, 0);
    say_mapped("a bad file over it", bad);
    say_pages("nothing has changed", memory, 3);
}

static void no_replace(void)
{
    uint8_t *memory = map_pages(6);
    CALL("a hole of two", munmap(memory + 2 * PAGE, 2 * PAGE));
    say_mapped("over something", mmap(memory + PAGE, PAGE, RW, NO_REPLACE, -1, 0));
    say_mapped("over its beginning", mmap(memory + 3 * PAGE, 2 * PAGE, RW, NO_REPLACE, -1, 0));
    say_mapped("over its end", mmap(memory + PAGE, 2 * PAGE, RW, NO_REPLACE, -1, 0));
    void *there = mmap(memory + 2 * PAGE, 2 * PAGE, RW, NO_REPLACE, -1, 0);
    say_whether("in the hole", there == memory + 2 * PAGE);
    say_mapped("unaligned", mmap(memory + 1, PAGE, RW, NO_REPLACE, -1, 0));
    say_mapped("kernel", mmap((void *)0xffff800000000000, PAGE, RW, NO_REPLACE, -1, 0));
}

static void hints(void)
{
    uint8_t *memory = map_pages(4);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    CALL("a hole of two", munmap(memory + PAGE, 2 * PAGE));
    void *there = mmap(memory + PAGE, PAGE, RW, flags, -1, 0);
    say_whether("a hint into a hole is taken", there == memory + PAGE);
    void *elsewhere = mmap(memory, PAGE, RW, flags, -1, 0);
    say_mapped("a hint at something", elsewhere);
    say_whether("is elsewhere", elsewhere != memory);
    say_mapped("a hint in the kernel", mmap(KERNEL_ADDRESS, PAGE, RW, flags, -1, 0));
    void *odd = mmap(memory + 2 * PAGE + 1, PAGE, RW, flags, -1, 0);
    say_mapped("an unaligned hint", odd);
    say_whether("is aligned", (uintptr_t)odd % PAGE == 0);
}

static void reuse_of_a_hole(void)
{
    uint8_t *memory = map_pages(64);
    bool worked = true;
    for (int i = 0; i < 500; i++) {
        worked = worked && munmap(memory + 8 * PAGE, 16 * PAGE) == 0;
        worked = worked && fixed(memory + 8 * PAGE, 16 * PAGE) != MAP_FAILED;
        worked = worked && memory[8 * PAGE] == 0;
        memory[8 * PAGE] = 1;
    }
    say_whether("500 times, cleared each time", worked);
}

const struct guest_case fixed_cases[] = {
    {"fixed.bad_addresses", bad_addresses},
    {"fixed.over_the_middle", over_the_middle},
    {"fixed.over_the_beginning", over_the_beginning},
    {"fixed.over_the_end", over_the_end},
    {"fixed.over_several", over_several},
    {"fixed.file_over_anonymous", file_over_anonymous},
    {"fixed.failed_replacement", failed_replacement},
    {"fixed.no_replace", no_replace},
    {"fixed.hints", hints},
    {"fixed.reuse_of_a_hole", reuse_of_a_hole},
    {NULL, NULL},
};
