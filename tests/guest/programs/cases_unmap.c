/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <sys/mman.h>

static void bad_arguments(void)
{
    uint8_t *memory = map_pages(2);
    CALL("unaligned", munmap(memory + 1, PAGE));
    CALL("size 0", munmap(memory, 0));
    CALL("kernel", munmap((void *)0xffff800000000000, PAGE));
    CALL("not canonical", munmap(NON_CANONICAL, PAGE));
    CALL("wrapping", munmap(memory, (size_t)-1));
    CALL("wrapping by a page", munmap(memory, (size_t) - (uintptr_t)memory + PAGE));
    CALL("over the end of user space", munmap((void *)0x7fffffffe000, 4 * PAGE));
    READ("still there", memory);
}

static void unmap_then_touch(const char *what, size_t first, size_t count)
{
    uint8_t *memory = map_pages(5);
    fill_pages(memory, 5, 1);
    CALL(what, munmap(memory + first * PAGE, count * PAGE));
    for (size_t i = 0; i < 5; i++) {
        READ("  a page", memory + i * PAGE);
        WRITE("  a byte", memory + i * PAGE + 17);
    }
}

static void beginning(void)
{
    unmap_then_touch("the first two", 0, 2);
}

static void middle(void)
{
    unmap_then_touch("the middle", 2, 1);
}

static void end(void)
{
    unmap_then_touch("the last two", 3, 2);
}

static void whole(void)
{
    unmap_then_touch("all", 0, 5);
}

static void twice(void)
{
    uint8_t *memory = map_pages(3);
    CALL("once", munmap(memory, 3 * PAGE));
    CALL("twice", munmap(memory, 3 * PAGE));
}

static void over_holes(void)
{
    uint8_t *memory = map_pages(10);
    fill_pages(memory, 10, 1);
    CALL("a hole", munmap(memory + 2 * PAGE, 2 * PAGE));
    CALL("another protection", mprotect(memory + 6 * PAGE, PAGE, PROT_READ));
    CALL("a range over all that", munmap(memory + PAGE, 8 * PAGE));
    READ("before", memory);
    READ("first of it", memory + PAGE);
    READ("last of it", memory + 8 * PAGE);
    READ("behind", memory + 9 * PAGE);
}

static void odd_size(void)
{
    uint8_t *memory = map_pages(3);
    CALL("a page and a byte", munmap(memory, PAGE + 1));
    READ("second", memory + PAGE);
    READ("third", memory + 2 * PAGE);
}

static void contents_are_gone(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    CALL("unmap", munmap(memory + PAGE, PAGE));
    void *again = mmap(memory + PAGE, PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    say_whether("there again", again == memory + PAGE);
    say_pages("pages", memory, 4);
}

const struct guest_case unmap_cases[] = {
    {"munmap.bad_arguments", bad_arguments},
    {"munmap.beginning", beginning},
    {"munmap.middle", middle},
    {"munmap.end", end},
    {"munmap.whole", whole},
    {"munmap.twice", twice},
    {"munmap.over_holes", over_holes},
    {"munmap.odd_size", odd_size},
    {"munmap.contents_are_gone", contents_are_gone},
    {NULL, NULL},
};
