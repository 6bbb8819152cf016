/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <sys/mman.h>

#define RW (PROT_READ | PROT_WRITE)

static void bad_arguments(void)
{
    uint8_t *memory = map_pages(2);
    CALL("unaligned", madvise(memory + 1, PAGE, MADV_DONTNEED));
    CALL("size 0", madvise(memory, 0, MADV_DONTNEED));
    CALL("unknown advice", madvise(memory, PAGE, 12345));
    CALL("size -1", madvise(memory, (size_t)-1, MADV_DONTNEED));
    CALL("wrapping", madvise(memory, (size_t) - (uintptr_t)memory - PAGE, 12345));
    CALL("kernel", madvise((void *)0xffff800000000000, PAGE, MADV_DONTNEED));
}

static void hints(void)
{
    uint8_t *memory = map_pages(2);
    fill_pages(memory, 2, 1);
    CALL("normal", madvise(memory, 2 * PAGE, MADV_NORMAL));
    CALL("random", madvise(memory, 2 * PAGE, MADV_RANDOM));
    CALL("sequential", madvise(memory, 2 * PAGE, MADV_SEQUENTIAL));
    say_pages("contents", memory, 2);
}

static void drop_anonymous(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    CALL("drop two", madvise(memory + PAGE, 2 * PAGE, MADV_DONTNEED));
    say_pages("pages", memory, 4);
    fill_pages(memory, 4, 5);
    say_pages("written again", memory, 4);
}

static void drop_private_file(void)
{
    int file = make_file("tmp/drop", 3 * PAGE);
    uint8_t *memory = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, file, 0);
    fill_pages(memory, 3, 50);
    CALL("drop the middle", madvise(memory + PAGE, PAGE, MADV_DONTNEED));
    say_pages("pages", memory, 3);
}

static void drop_shared(void)
{
    int file = make_file("tmp/dropshared", 2 * PAGE);
    uint8_t *memory = map_shared_pages(2);
    fill_pages(memory, 2, 1);
    CALL("drop shared memory", madvise(memory, 2 * PAGE, MADV_DONTNEED));
    say_pages("it stays", memory, 2);
    uint8_t *of_file = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, file, 0);
    of_file[0] = 88;
    CALL("drop a shared file", madvise(of_file, 2 * PAGE, MADV_DONTNEED));
    say_pages("it stays", of_file, 2);
}

static void over_a_hole(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    CALL("a hole", munmap(memory + PAGE, PAGE));
    CALL("drop over it", madvise(memory, 4 * PAGE, MADV_DONTNEED));
    say("before: %d, behind: %d %d", memory[0], memory[2 * PAGE], memory[3 * PAGE]);
}

static void drop_protected(void)
{
    uint8_t *memory = map_pages(2);
    fill_pages(memory, 2, 1);
    mprotect(memory, PAGE, PROT_READ);
    mprotect(memory + PAGE, PAGE, PROT_NONE);
    CALL("drop", madvise(memory, 2 * PAGE, MADV_DONTNEED));
    mprotect(memory, 2 * PAGE, RW);
    say_pages("pages", memory, 2);
}

static void read_first(void *argument)
{
    READ("in the child", argument);
}

static void not_for_children(void)
{
    uint8_t *memory = map_pages(3);
    fill_pages(memory, 3, 1);
    CALL("keep the middle from children", madvise(memory + PAGE, PAGE, MADV_DONTFORK));
    in_child("child, first", read_first, memory);
    in_child("child, middle", read_first, memory + PAGE);
    READ("here, middle", memory + PAGE);
    CALL("allow it", madvise(memory + PAGE, PAGE, MADV_DOFORK));
    in_child("child, middle", read_first, memory + PAGE);
}

static void drop_in_child(void *argument)
{
    uint8_t *memory = argument;
    CALL("drop in the child", madvise(memory, 2 * PAGE, MADV_DONTNEED));
    say_pages("the child's", memory, 3);
}

static void drop_copied_pages(void)
{
    uint8_t *memory = map_pages(3);
    fill_pages(memory, 3, 1);
    in_child("child", drop_in_child, memory);
    say_pages("the parent's", memory, 3);
}

const struct guest_case advise_cases[] = {
    {"madvise.bad_arguments", bad_arguments},
    {"madvise.hints", hints},
    {"madvise.drop_anonymous", drop_anonymous},
    {"madvise.drop_private_file", drop_private_file},
    {"madvise.drop_shared", drop_shared},
    {"madvise.over_a_hole", over_a_hole},
    {"madvise.drop_protected", drop_protected},
    {"madvise.not_for_children", not_for_children},
    {"madvise.drop_copied_pages", drop_copied_pages},
    {NULL, NULL},
};
