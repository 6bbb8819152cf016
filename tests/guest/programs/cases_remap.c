/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

/* `pages` filled pages with `room` unmapped pages behind them. */
static uint8_t *map_with_room(size_t pages, size_t room)
{
    uint8_t *memory = map_pages(pages + room);
    fill_pages(memory, pages, 1);
    must(room == 0 || munmap(memory + pages * PAGE, room * PAGE) == 0, "munmap");
    return memory;
}

/* The call itself: a library may check what it is given. */
static void *call_mremap(void *address, size_t size, size_t new_size, int flags, void *new_address)
{
    return (void *)syscall(SYS_mremap, address, size, new_size, flags, new_address);
}

static void bad_arguments(void)
{
    uint8_t *memory = map_pages(4);
    say_mapped("unaligned", call_mremap(memory + 1, PAGE, PAGE, 0, NULL));
    say_mapped("new size 0", call_mremap(memory, PAGE, 0, 0, NULL));
    say_mapped("unknown flag", call_mremap(memory, PAGE, PAGE, 0x100, NULL));
    say_mapped("fixed, but may not move", call_mremap(memory, PAGE, PAGE, MREMAP_FIXED, memory));
    say_mapped("fixed, unaligned", call_mremap(memory, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE,
                                               memory + 2 * PAGE + 1));
    say_mapped("fixed, overlapping", call_mremap(memory, 2 * PAGE, 2 * PAGE,
                                                 MREMAP_FIXED | MREMAP_MAYMOVE, memory + PAGE));
    say_mapped(
        "fixed, in the kernel",
        call_mremap(memory, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, (void *)0xffff800000000000));
    say_mapped("old size 0, private", call_mremap(memory, 0, PAGE, MREMAP_MAYMOVE, NULL));
    say_mapped("new size too large",
               call_mremap(memory, PAGE, (size_t)1 << 47, MREMAP_MAYMOVE, NULL));
    say_mapped("new size -1", call_mremap(memory, PAGE, (size_t)-1, MREMAP_MAYMOVE, NULL));
    say_mapped("kernel",
               call_mremap((void *)0xffff800000000000, PAGE, 2 * PAGE, MREMAP_MAYMOVE, NULL));
    READ("still there", memory);
}

static void shrink(void)
{
    uint8_t *memory = map_with_room(5, 0);
    say_whether("in place", mremap(memory, 5 * PAGE, 2 * PAGE, 0) == memory);
    say_pages("kept", memory, 2);
    READ("cut", memory + 2 * PAGE);
    READ("cut, last", memory + 4 * PAGE);
}

static void grow_in_place(void)
{
    uint8_t *memory = map_with_room(2, 6);
    say_whether("in place", mremap(memory, 2 * PAGE, 5 * PAGE, 0) == memory);
    say_pages("pages", memory, 5);
    WRITE("a new one", memory + 4 * PAGE);
    READ("behind", memory + 5 * PAGE);
}

static void no_room(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    must(mprotect(memory + 2 * PAGE, 2 * PAGE, PROT_READ) == 0, "mprotect");
    say_mapped("grow where something is", mremap(memory, 2 * PAGE, 3 * PAGE, 0));
    say_pages("nothing has changed", memory, 4);
}

static void move(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    must(mprotect(memory + 2 * PAGE, 2 * PAGE, PROT_READ) == 0, "mprotect");
    uint8_t *moved = mremap(memory, 2 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
    say_mapped("grow where something is", moved);
    must(moved != MAP_FAILED, "mremap");
    say_whether("elsewhere", moved != memory);
    say_pages("pages", moved, 6);
    READ("the old place", memory);
    READ("its neighbour", memory + 2 * PAGE);
    WRITE("a moved page", moved);
    WRITE("a new page", moved + 5 * PAGE);
}

static void move_to(void)
{
    uint8_t *memory = map_pages(8);
    fill_pages(memory, 8, 1);
    uint8_t *to = memory + 5 * PAGE;
    void *moved = mremap(memory, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    say_whether("there", moved == to);
    say_pages("from page 2 on", memory + 2 * PAGE, 6);
    READ("the old place", memory);
    READ("the old place", memory + PAGE);
}

static void move_a_part(void)
{
    uint8_t *memory = map_pages(6);
    fill_pages(memory, 6, 1);
    uint8_t *to = map_pages(4);
    void *moved = mremap(memory + 2 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    say_whether("there", moved == to);
    say_pages("moved", to, 4);
    READ("before", memory + PAGE);
    READ("the hole", memory + 2 * PAGE);
    READ("the hole", memory + 3 * PAGE);
    READ("behind", memory + 4 * PAGE);
}

static void unmapped_source(void)
{
    uint8_t *memory = map_with_room(2, 4);
    say_mapped("nothing there", mremap(memory + 3 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    say_mapped("half there, growing", mremap(memory + PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
}

static void shared_pages(void)
{
    uint8_t *memory = map_shared_pages(2);
    fill_pages(memory, 2, 1);
    uint8_t *twin = mremap(memory, 0, 2 * PAGE, MREMAP_MAYMOVE);
    say_mapped("old size 0, shared", twin);
    must(twin != MAP_FAILED, "mremap");
    twin[0] = 50;
    say("the first sees: %d", memory[0]);
    uint8_t *moved =
        mremap(memory, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map_pages(2));
    must(moved != MAP_FAILED, "mremap");
    moved[PAGE] = 60;
    say("the twin sees: %d", twin[PAGE]);
}

static void files(void)
{
    int file = make_file("tmp/remap", 4 * PAGE);
    uint8_t *memory = mmap(NULL, PAGE, RW, MAP_PRIVATE, file, PAGE);
    memory[0] = 99;
    uint8_t *grown = mremap(memory, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    say_mapped("grow a private file mapping", grown);
    must(grown != MAP_FAILED, "mremap");
    say_pages("its pages", grown, 3);
    grown = mremap(grown, 3 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
    READ("past the file's end", grown + 4 * PAGE);
}

static void keeps_protection(void)
{
    uint8_t *memory = map_pages(2);
    fill_pages(memory, 2, 5);
    mprotect(memory, 2 * PAGE, PROT_READ);
    uint8_t *moved =
        mremap(memory, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map_pages(2));
    must(moved != MAP_FAILED, "mremap");
    READ("read", moved);
    WRITE("write", moved);
}

static void after_fork(void *memory)
{
    uint8_t *moved =
        mremap(memory, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map_pages(4));
    must(moved != MAP_FAILED, "mremap");
    say_pages("the child's, moved", moved, 4);
    moved[0] = 123;
}

static void of_copied_pages(void)
{
    uint8_t *memory = map_pages(2);
    fill_pages(memory, 2, 8);
    in_child("child", after_fork, memory);
    say_pages("the parent's", memory, 2);
}

const struct guest_case remap_cases[] = {
    {"mremap.bad_arguments", bad_arguments},
    {"mremap.shrink", shrink},
    {"mremap.grow_in_place", grow_in_place},
    {"mremap.no_room", no_room},
    {"mremap.move", move},
    {"mremap.move_to", move_to},
    {"mremap.move_a_part", move_a_part},
    {"mremap.unmapped_source", unmapped_source},
    {"mremap.shared_pages", shared_pages},
    {"mremap.files", files},
    {"mremap.keeps_protection", keeps_protection},
    {"mremap.of_copied_pages", of_copied_pages},
    {NULL, NULL},
};
