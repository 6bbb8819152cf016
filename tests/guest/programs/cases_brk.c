/* SPDX-License-Identifier: MIT */
/* The heap's end, by the call itself: the library may have plans of its own with it. */
#include "cases.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint8_t *set_break(const void *address)
{
    return (uint8_t *)syscall(SYS_brk, address);
}

static void grow_and_shrink(void)
{
    uint8_t *old = set_break(NULL);
    say_whether("asking changes nothing", set_break(NULL) == old);
    uint8_t *start = (uint8_t *)(((uintptr_t)old + PAGE - 1) & ~(PAGE - 1));
    say_whether("grow", set_break(start + 8 * PAGE) == start + 8 * PAGE);
    WRITE("the first page", start);
    WRITE("the last byte", start + 8 * PAGE - 1);
    READ("behind", start + 8 * PAGE);
    fill_pages(start, 8, 1);
    say_whether("shrink", set_break(start + 2 * PAGE) == start + 2 * PAGE);
    say_pages("kept", start, 2);
    READ("cut", start + 2 * PAGE);
    say_whether("grow again", set_break(start + 4 * PAGE) == start + 4 * PAGE);
    say_pages("cleared", start, 4);
    say_whether("back", set_break(old) == old);
}

static void refusals(void)
{
    uint8_t *old = set_break(NULL);
    say_whether("below its start", set_break((void *)PAGE) == old);
    say_whether("in the kernel", set_break(KERNEL_ADDRESS) == old);
    say_whether("not canonical", set_break(NON_CANONICAL) == old);
    say_whether("the end of user space", set_break((void *)0x7fffffffffff) == old);
    say_whether("-1", set_break((void *)-1) == old);
}

static void odd_bytes(void)
{
    uint8_t *old = set_break(NULL);
    uint8_t *start = (uint8_t *)(((uintptr_t)old + PAGE - 1) & ~(PAGE - 1));
    say_whether("by one byte", set_break(start + 1) == start + 1);
    WRITE("the rest of its page", start + PAGE - 1);
    READ("the next page", start + PAGE);
    start[10] = 99;
    say_whether("back by one byte", set_break(start) == start);
    READ("its page", start);
}

static void something_in_the_way(void)
{
    uint8_t *old = set_break(NULL);
    uint8_t *start = (uint8_t *)(((uintptr_t)old + PAGE - 1) & ~(PAGE - 1));
    void *wall = mmap(start + 32 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    must(wall != MAP_FAILED, "mmap");
    say_whether("over a mapping: refused", set_break(start + 40 * PAGE) == old);
    say_whether("before it", set_break(start + 16 * PAGE) == start + 16 * PAGE);
}

static void grow_in_child(void *argument)
{
    uint8_t *start = argument;
    start[0] = 50;
    say_whether("the child grows", set_break(start + 4 * PAGE) == start + 4 * PAGE);
    WRITE("the child's new page", start + 3 * PAGE);
}

static void in_a_child(void)
{
    uint8_t *old = set_break(NULL);
    uint8_t *start = (uint8_t *)(((uintptr_t)old + PAGE - 1) & ~(PAGE - 1));
    set_break(start + 2 * PAGE);
    fill_pages(start, 2, 1);
    in_child("child", grow_in_child, start);
    say_whether("the parent's end is where it was", set_break(NULL) == start + 2 * PAGE);
    say_pages("the parent's", start, 2);
}

const struct guest_case brk_cases[] = {
    {"brk.grow_and_shrink", grow_and_shrink},
    {"brk.refusals", refusals},
    {"brk.odd_bytes", odd_bytes},
    {"brk.something_in_the_way", something_in_the_way},
    {"brk.in_a_child", in_a_child},
    {NULL, NULL},
};
