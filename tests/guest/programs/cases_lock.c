/* SPDX-License-Identifier: MIT */
/* mlock, munlock, mlockall, mincore, msync: what is in memory, and stays there. */
#include "cases.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

static void say_residency(const char *step, void *memory, size_t pages)
{
    unsigned char residency[16] = {0};
    int result = mincore(memory, pages * PAGE, residency);
    char text[17] = {0};
    for (size_t i = 0; i < pages; i++)
        text[i] = residency[i] & 1 ? '1' : '0';
    if (result != 0)
        say_result(step, result);
    else
        say("%s: %s", step, text);
}

static void residency(void)
{
    uint8_t *memory = map_pages(6);
    say_residency("fresh", memory, 6);
    memory[PAGE] = 1;
    memory[4 * PAGE] = 1;
    say_residency("two written", memory, 6);
    madvise(memory + PAGE, PAGE, MADV_DONTNEED);
    say_residency("one dropped", memory, 6);
}

static void residency_errors(void)
{
    unsigned char bytes[4];
    uint8_t *memory = map_pages(4);
    CALL("unaligned", mincore(memory + 1, PAGE, bytes));
    CALL("size 0", mincore(memory, 0, bytes));
    CALL("bad vector", mincore(memory, PAGE, KERNEL_ADDRESS));
    munmap(memory + PAGE, PAGE);
    CALL("a hole", mincore(memory, 4 * PAGE, bytes));
    CALL("kernel", mincore((void *)0xffff800000000000, PAGE, bytes));
    CALL("size -1", mincore(memory, (size_t)-1, bytes));
}

static void lock_brings_in(void)
{
    uint8_t *memory = map_pages(5);
    CALL("lock the middle", mlock(memory + PAGE, 3 * PAGE));
    say_residency("in memory", memory, 5);
    CALL("drop locked pages", madvise(memory, 5 * PAGE, MADV_DONTNEED));
    CALL("unlock", munlock(memory + PAGE, 3 * PAGE));
    CALL("drop unlocked pages", madvise(memory, 5 * PAGE, MADV_DONTNEED));
    say_residency("in memory", memory, 5);
}

static void lock_errors(void)
{
    uint8_t *memory = map_pages(4);
    munmap(memory + 2 * PAGE, PAGE);
    CALL("over a hole", mlock(memory, 4 * PAGE));
    CALL("unlock over a hole", munlock(memory, 4 * PAGE));
    CALL("only a hole", mlock(memory + 2 * PAGE, PAGE));
    CALL("unaligned", mlock(memory + 5, 10));
    say_residency("first", memory, 1);
    CALL("size 0", mlock(memory, 0));
    CALL("wrapping", mlock(memory, (size_t) - (uintptr_t)memory + PAGE));
    CALL("kernel", mlock((void *)0xffff800000000000, PAGE));
    CALL("unlock what isn't locked", munlock(memory + 3 * PAGE, PAGE));
    CALL("all of nothing", mlockall(0));
    CALL("all of something unknown", mlockall(0x80));
}

static void lock_then_fork(void *argument)
{
    uint8_t *memory = argument;
    memory[0] = 9;
    CALL("drop it in the child", madvise(memory, 2 * PAGE, MADV_DONTNEED));
    say_pages("the child's", memory, 2);
}

static void locked_pages_in_a_child(void)
{
    uint8_t *memory = map_pages(2);
    fill_pages(memory, 2, 1);
    CALL("lock", mlock(memory, 2 * PAGE));
    in_child("child", lock_then_fork, memory);
    say_pages("the parent's", memory, 2);
    memory[PAGE] = 7;
    say_residency("in memory", memory, 2);
    CALL("unmap locked pages", munmap(memory, 2 * PAGE));
}

static void lock_read_only(void)
{
    int file = make_file("tmp/lock", 2 * PAGE);
    uint8_t *memory = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, file, 0);
    CALL("lock a file's pages", mlock(memory, 2 * PAGE));
    say_residency("in memory", memory, 2);
    uint8_t *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CALL("lock what can't be read", mlock(none, PAGE));
}

static void sync_errors(void)
{
    int file = make_file("tmp/sync", 3 * PAGE);
    uint8_t *memory = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, file, 0);
    CALL("unaligned", msync(memory + 1, PAGE, MS_SYNC));
    CALL("unknown flag", msync(memory, PAGE, 0x40));
    CALL("both ways", msync(memory, PAGE, MS_SYNC | MS_ASYNC));
    CALL("size 0", msync(memory, 0, MS_SYNC));
    CALL("wrapping", msync(memory, (size_t) - (uintptr_t)memory + PAGE, MS_SYNC));
    CALL("kernel", msync((void *)0xffff800000000000, PAGE, MS_SYNC));
    munmap(memory + PAGE, PAGE);
    CALL("over a hole", msync(memory, 3 * PAGE, MS_SYNC));
    CALL("only a hole", msync(memory + PAGE, PAGE, MS_ASYNC));
}

static void sync_writes(void)
{
    int file = make_file("tmp/sync", 2 * PAGE);
    uint8_t byte = 0;
    uint8_t *memory = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, file, 0);
    memory[PAGE + 3] = 200;
    CALL("sync", msync(memory, 2 * PAGE, MS_SYNC));
    CALL("later", msync(memory, 2 * PAGE, MS_ASYNC));
    CALL("and forget", msync(memory, 2 * PAGE, MS_SYNC | MS_INVALIDATE));
    must(pread(file, &byte, 1, PAGE + 3) == 1, "pread");
    say("the file has %d, memory has %d", byte, memory[PAGE + 3]);
    uint8_t *anonymous = map_pages(1);
    CALL("of no file", msync(anonymous, PAGE, MS_SYNC));
}

const struct guest_case lock_cases[] = {
    {"mincore.residency", residency},
    {"mincore.errors", residency_errors},
    {"mlock.brings_in", lock_brings_in},
    {"mlock.errors", lock_errors},
    {"mlock.in_a_child", locked_pages_in_a_child},
    {"mlock.read_only", lock_read_only},
    {"msync.errors", sync_errors},
    {"msync.writes", sync_writes},
    {NULL, NULL},
};
