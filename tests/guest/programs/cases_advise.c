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

#define HINT_KINDS 6
static const struct {
    int advice;
    const char *text;
} hint_kinds[HINT_KINDS] = {
    {MADV_WILLNEED, "will need"}, {MADV_COLD, "cold"},           {MADV_PAGEOUT, "page out"},
    {MADV_RANDOM, "random"},      {MADV_SEQUENTIAL, "in order"}, {MADV_NORMAL, "normal"},
};

/* Each piece of advice that changes no byte, on the same memory. */
static void take_hints(uint8_t *memory, size_t pages)
{
    for (size_t i = 0; i < HINT_KINDS; i++) {
        CALL(hint_kinds[i].text, madvise(memory, pages * PAGE, hint_kinds[i].advice));
        say_pages("contents", memory, pages);
    }
}

static void hints_for_memory(void)
{
    uint8_t *memory = map_pages(3);
    fill_pages(memory, 3, 1);
    take_hints(memory, 3);
    uint8_t *shared = map_shared_pages(3);
    fill_pages(shared, 3, 11);
    take_hints(shared, 3);
}

static void hints_for_files(void)
{
    int file = make_file("tmp/hints", 3 * PAGE);
    uint8_t *own = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, file, 0);
    own[PAGE] = 99;
    take_hints(own, 3);
    uint8_t *shared = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, file, 0);
    shared[0] = 77;
    take_hints(shared, 3);
    say_pages("the private one sees it", own, 3);
}

static void hints_over_a_hole(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    munmap(memory + PAGE, PAGE);
    for (size_t i = 0; i < HINT_KINDS; i++)
        CALL(hint_kinds[i].text, madvise(memory, 4 * PAGE, hint_kinds[i].advice));
    CALL("free", madvise(memory, 4 * PAGE, MADV_FREE));
    CALL("only a hole", madvise(memory + PAGE, PAGE, MADV_PAGEOUT));
    memory[2 * PAGE] = 7;
    say("behind it: %d", memory[2 * PAGE]);
}

static void hints_for_locked_pages(void)
{
    uint8_t *memory = map_pages(3);
    fill_pages(memory, 3, 1);
    CALL("lock the middle", mlock(memory + PAGE, PAGE));
    for (size_t i = 0; i < HINT_KINDS; i++)
        CALL(hint_kinds[i].text, madvise(memory, 3 * PAGE, hint_kinds[i].advice));
    CALL("free", madvise(memory, 3 * PAGE, MADV_FREE));
    CALL("free the locked one", madvise(memory + PAGE, PAGE, MADV_FREE));
    say("the locked one: %d", memory[PAGE]);
}

static void hints_for_protected(void)
{
    uint8_t *memory = map_pages(2);
    fill_pages(memory, 2, 1);
    mprotect(memory, PAGE, PROT_READ);
    mprotect(memory + PAGE, PAGE, PROT_NONE);
    for (size_t i = 0; i < HINT_KINDS; i++)
        CALL(hint_kinds[i].text, madvise(memory, 2 * PAGE, hint_kinds[i].advice));
    CALL("free", madvise(memory, 2 * PAGE, MADV_FREE));
    mprotect(memory, 2 * PAGE, RW);
    memory[0] = memory[PAGE] = 3;
    say_pages("written again", memory, 2);
}

static void say_old_or_zero(const char *step, const uint8_t *memory, size_t pages)
{
    bool good = true;
    for (size_t i = 0; i < pages; i++)
        good = good && (memory[i * PAGE] == 0 || memory[i * PAGE] == i + 1);
    say_whether(step, good);
}

static void free_memory(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    CALL("free", madvise(memory, 4 * PAGE, MADV_FREE));
    say_old_or_zero("the old bytes, or zeros", memory, 4);
    fill_pages(memory, 2, 21);
    CALL("page out", madvise(memory, 4 * PAGE, MADV_PAGEOUT));
    say_pages("what was written since stays", memory, 2);
    say_whether("the others", (memory[2 * PAGE] == 0 || memory[2 * PAGE] == 3) &&
                                  (memory[3 * PAGE] == 0 || memory[3 * PAGE] == 4));
}

static void free_not_memory(void)
{
    int file = make_file("tmp/free", 2 * PAGE);
    uint8_t *own = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, file, 0);
    own[0] = 50;
    CALL("a private mapping of a file", madvise(own, 2 * PAGE, MADV_FREE));
    say_pages("it stays", own, 2);
    uint8_t *of_file = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, file, 0);
    CALL("a shared one", madvise(of_file, 2 * PAGE, MADV_FREE));
    uint8_t *shared = map_shared_pages(2);
    fill_pages(shared, 2, 1);
    CALL("shared memory", madvise(shared, 2 * PAGE, MADV_FREE));
    say_pages("it stays", shared, 2);
}

static void free_in_child(void *argument)
{
    uint8_t *memory = argument;
    CALL("free in the child", madvise(memory, 3 * PAGE, MADV_FREE));
    memory[PAGE] = 42;
    say("the child's: %d", memory[PAGE]);
}

static void free_copied_pages(void)
{
    uint8_t *memory = map_pages(3);
    fill_pages(memory, 3, 1);
    in_child("child", free_in_child, memory);
    say_pages("the parent's", memory, 3);
}

static void page_out_copied_pages(void)
{
    uint8_t *memory = map_pages(3);
    fill_pages(memory, 3, 1);
    in_child("child", free_in_child, memory);
    CALL("page out", madvise(memory, 3 * PAGE, MADV_PAGEOUT));
    memory[2 * PAGE] = 9;
    say_pages("the parent's", memory, 3);
}

static void behind_the_end(void)
{
    int file = make_file("tmp/end", PAGE);
    uint8_t *memory = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, file, 0);
    for (size_t i = 0; i < HINT_KINDS; i++)
        CALL(hint_kinds[i].text, madvise(memory, 3 * PAGE, hint_kinds[i].advice));
    READ("the page that is there", memory);
    READ("behind it", memory + PAGE);
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
    {"madvise.hints_for_memory", hints_for_memory},
    {"madvise.hints_for_files", hints_for_files},
    {"madvise.hints_over_a_hole", hints_over_a_hole},
    {"madvise.hints_for_locked_pages", hints_for_locked_pages},
    {"madvise.hints_for_protected", hints_for_protected},
    {"madvise.free_memory", free_memory},
    {"madvise.free_not_memory", free_not_memory},
    {"madvise.free_copied_pages", free_copied_pages},
    {"madvise.page_out_copied_pages", page_out_copied_pages},
    {"madvise.behind_the_end", behind_the_end},
    {"madvise.drop_anonymous", drop_anonymous},
    {"madvise.drop_private_file", drop_private_file},
    {"madvise.drop_shared", drop_shared},
    {"madvise.over_a_hole", over_a_hole},
    {"madvise.drop_protected", drop_protected},
    {"madvise.not_for_children", not_for_children},
    {"madvise.drop_copied_pages", drop_copied_pages},
    {NULL, NULL},
};
