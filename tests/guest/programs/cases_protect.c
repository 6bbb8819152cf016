/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

/* The call itself: a library may round what it is given. */
static long call_mprotect(void *address, size_t size, int protection)
{
    return syscall(SYS_mprotect, address, size, protection);
}

static void bad_arguments(void)
{
    uint8_t *memory = map_pages(2);
    CALL("unaligned", call_mprotect(memory + 1, PAGE, PROT_READ));
    CALL("size 0", call_mprotect(memory, 0, PROT_NONE));
    CALL("unknown protection", call_mprotect(memory, PAGE, 0x40));
    CALL("grows both up and down", call_mprotect(memory, PAGE, PROT_READ | 0x03000000));
    CALL("wrapping", call_mprotect(memory, (size_t) - (uintptr_t)memory + PAGE, PROT_READ));
    CALL("size -1", call_mprotect(memory, (size_t)-1, PROT_READ));
    CALL("kernel", call_mprotect((void *)0xffff800000000000, PAGE, PROT_READ));
    WRITE("still writable", memory);
}

static void flip(void)
{
    uint8_t *memory = map_pages(3);
    fill_pages(memory, 3, 1);
    CALL("the middle read-only", mprotect(memory + PAGE, PAGE, PROT_READ));
    WRITE("first", memory);
    WRITE("middle", memory + PAGE);
    WRITE("last", memory + 2 * PAGE);
    CALL("the middle writable", mprotect(memory + PAGE, PAGE, RW));
    WRITE("middle", memory + PAGE);
    CALL("nothing", mprotect(memory, 3 * PAGE, PROT_NONE));
    READ("middle", memory + PAGE);
    CALL("all", mprotect(memory, 3 * PAGE, RW));
    say_pages("contents", memory, 3);
}

static void untouched(void)
{
    uint8_t *memory = map_pages(3);
    CALL("read-only before any touch", mprotect(memory, 3 * PAGE, PROT_READ));
    READ("read", memory);
    WRITE("write", memory);
    CALL("writable", mprotect(memory, 3 * PAGE, RW));
    WRITE("write the page that was read", memory);
    WRITE("write a fresh page", memory + PAGE);
    say_pages("contents", memory, 3);
}

static void over_a_hole(void)
{
    uint8_t *memory = map_pages(5);
    CALL("a hole", munmap(memory + 2 * PAGE, PAGE));
    CALL("read-only over it", mprotect(memory, 5 * PAGE, PROT_READ));
    WRITE("before the hole", memory);
    WRITE("just before", memory + PAGE);
    WRITE("behind the hole", memory + 3 * PAGE);
}

static void from_a_hole(void)
{
    uint8_t *memory = map_pages(4);
    CALL("a hole", munmap(memory, PAGE));
    CALL("read-only from it on", mprotect(memory, 4 * PAGE, PROT_READ));
    WRITE("behind", memory + PAGE);
    CALL("only the hole", mprotect(memory, PAGE, PROT_READ));
    CALL("to a hole at the end", mprotect(memory + PAGE, 64 * 1024 * PAGE, PROT_READ));
}

static void parts(void)
{
    uint8_t *memory = map_pages(8);
    fill_pages(memory, 8, 1);
    static const int protections[] = {PROT_READ, PROT_NONE, RW, PROT_READ};
    for (size_t i = 0; i < 4; i++)
        CALL("two pages", mprotect(memory + 2 * i * PAGE, 2 * PAGE, protections[i]));
    for (size_t i = 0; i < 8; i++) {
        READ("read", memory + i * PAGE);
        WRITE("write", memory + i * PAGE);
    }
    CALL("across the borders", mprotect(memory + PAGE, 6 * PAGE, RW));
    WRITE("first", memory);
    WRITE("second", memory + PAGE);
    WRITE("last", memory + 7 * PAGE);
}

static void files(void)
{
    make_file("tmp/protect", 2 * PAGE);
    int readable = open("tmp/protect", O_RDONLY);
    uint8_t *shared = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, readable, 0);
    uint8_t *private = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, readable, 0);
    CALL("shared, of a read-only file", mprotect(shared, PAGE, RW));
    CALL("shared, read-only", mprotect(shared, PAGE, PROT_READ));
    CALL("private, of a read-only file", mprotect(private, PAGE, RW));
    WRITE("private", private);
    WRITE("private, next", private + PAGE);
    say("the file's bytes: %d, in private: %d", shared[0], private[0]);
}

static void partial_effect_of_an_error(void)
{
    make_file("tmp/partial", 2 * PAGE);
    int readable = open("tmp/partial", O_RDONLY);
    uint8_t *memory = map_pages(6);
    mprotect(memory, 6 * PAGE, PROT_READ);
    void *there = mmap(memory + 2 * PAGE, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, readable, 0);
    must(there != MAP_FAILED, "mmap");
    CALL("writable over a file that can't be", mprotect(memory, 6 * PAGE, RW));
    WRITE("before it", memory);
    WRITE("behind it", memory + 4 * PAGE);
}

static void copy_on_write_stays(void)
{
    int file = make_file("tmp/cow", PAGE);
    uint8_t *private = mmap(NULL, PAGE, RW, MAP_PRIVATE, file, 0);
    private[0] = 77;
    CALL("read-only", mprotect(private, PAGE, PROT_READ));
    say("own copy: %d", private[0]);
    CALL("writable", mprotect(private, PAGE, RW));
    private[1] = 78;
    say("own copy: %d %d", private[0], private[1]);
}

const struct guest_case protect_cases[] = {
    {"mprotect.bad_arguments", bad_arguments},
    {"mprotect.flip", flip},
    {"mprotect.untouched", untouched},
    {"mprotect.over_a_hole", over_a_hole},
    {"mprotect.from_a_hole", from_a_hole},
    {"mprotect.parts", parts},
    {"mprotect.files", files},
    {"mprotect.partial_effect_of_an_error", partial_effect_of_an_error},
    {"mprotect.copy_on_write_stays", copy_on_write_stays},
    {NULL, NULL},
};
