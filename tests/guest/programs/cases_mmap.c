/* SPDX-License-Identifier: MIT */
/* mmap: what it makes, and what it refuses. */
#include "cases.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static void *map(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    return mmap(address, size, protection, flags, file, offset);
}

static void zero_filled(void)
{
    uint8_t *memory = map_pages(16);
    unsigned sum = 0;
    for (size_t i = 0; i < 16 * PAGE; i++)
        sum |= memory[i];
    say("or of all bytes: %u", sum);
    fill_pages(memory, 16, 1);
    say_pages("filled", memory, 16);
}

static void bad_sizes(void)
{
    say_mapped("size 0", map(NULL, 0, RW, ANONYMOUS, -1, 0));
    say_mapped("size 2^47", map(NULL, (size_t)1 << 47, RW, ANONYMOUS, -1, 0));
    say_mapped("size 2^63", map(NULL, (size_t)1 << 63, RW, ANONYMOUS, -1, 0));
    say_mapped("size -1", map(NULL, (size_t)-1, RW, ANONYMOUS, -1, 0));
    say_mapped("size -4096", map(NULL, (size_t)-4096, RW, ANONYMOUS, -1, 0));
}

static void bad_flags(void)
{
    say_mapped("neither private nor shared", map(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    say_mapped("private and shared",
               map(NULL, PAGE, RW, MAP_PRIVATE | MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    say_mapped("private, anonymous", map(NULL, PAGE, RW, ANONYMOUS, -1, 0));
    say_mapped("anonymous with a file number that isn't one",
               map(NULL, PAGE, RW, ANONYMOUS, 12345, 0));
    say_mapped("no reserve", map(NULL, PAGE, RW, ANONYMOUS | MAP_NORESERVE, -1, 0));
}

static void bad_offsets(void)
{
    int file = make_file("tmp/offsets", 3 * PAGE);
    long odd = syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 100);
    say_result("unaligned offset", odd);
    long past = syscall(SYS_mmap, NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, file, -4096L);
    say_result("offset -4096", past);
    uint8_t *third = map(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 2 * PAGE);
    say_mapped("third page", third);
    say_pages("it holds", third, 1);
}

static void bad_files(void)
{
    int ends[2];
    must(pipe(ends) == 0, "pipe");
    close(make_file("tmp/rights", PAGE));
    int writable = open("tmp/rights", O_WRONLY);
    int readable = open("tmp/rights", O_RDONLY);
    int directory = open("tmp", O_RDONLY | O_DIRECTORY);
    say_mapped("no such file number", map(NULL, PAGE, PROT_READ, MAP_PRIVATE, 12345, 0));
    say_mapped("file number -1", map(NULL, PAGE, PROT_READ, MAP_SHARED, -1, 0));
    say_mapped("a pipe", map(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0));
    say_mapped("a directory", map(NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0));
    say_mapped("write-only file, private", map(NULL, PAGE, PROT_READ, MAP_PRIVATE, writable, 0));
    say_mapped("write-only file, shared", map(NULL, PAGE, PROT_WRITE, MAP_SHARED, writable, 0));
    say_mapped("read-only file, shared, writable", map(NULL, PAGE, RW, MAP_SHARED, readable, 0));
    say_mapped("read-only file, shared", map(NULL, PAGE, PROT_READ, MAP_SHARED, readable, 0));
    say_mapped("read-only file, private, writable", map(NULL, PAGE, RW, MAP_PRIVATE, readable, 0));
    say_mapped("size 0", map(NULL, 0, PROT_READ, MAP_PRIVATE, readable, 0));
}

static void end_of_file(void)
{
    int file = make_file("tmp/ends", PAGE + 100);
    uint8_t *memory = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, file, 0);
    must(memory != MAP_FAILED, "mmap");
    say("last bytes: %d %d %d", memory[PAGE + 99], memory[PAGE + 100], memory[2 * PAGE - 1]);
    READ("the page behind", memory + 2 * PAGE);
    WRITE("a write there", memory + 2 * PAGE + 5);
    READ("the next but one", memory + 3 * PAGE + 7);
    int empty = make_file("tmp/empty", 0);
    uint8_t *nothing = map(NULL, PAGE, PROT_READ, MAP_SHARED, empty, 0);
    say_mapped("an empty file", nothing);
    READ("read it", nothing);
}

static void protections(void)
{
    uint8_t *none = map(NULL, PAGE, PROT_NONE, ANONYMOUS, -1, 0);
    READ("read, none", none);
    WRITE("write, none", none + 9);
    uint8_t *read = map(NULL, PAGE, PROT_READ, ANONYMOUS, -1, 0);
    READ("read, read-only", read);
    WRITE("write, read-only", read + PAGE - 1);
    uint8_t *write = map(NULL, PAGE, PROT_WRITE, ANONYMOUS, -1, 0);
    WRITE("write, write-only", write);
    READ("read, write-only", write);
    uint8_t *data = map_pages(1);
    say_access("execute data", ACCESS_CALL, data);
}

static void execute(void)
{
    static const uint8_t code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
    uint8_t *memory = map_pages(1);
    memcpy(memory, code, sizeof(code));
    CALL("make it executable", mprotect(memory, PAGE, PROT_READ | PROT_EXEC));
    say_access("call it", ACCESS_CALL, memory);
    WRITE("write to it", memory);
    CALL("make it data", mprotect(memory, PAGE, RW));
    say_access("call it", ACCESS_CALL, memory);
}

static void populate(void)
{
    unsigned char residency[8];
    uint8_t *memory = map(NULL, 8 * PAGE, RW, ANONYMOUS | MAP_POPULATE, -1, 0);
    must(memory != MAP_FAILED, "mmap");
    CALL("mincore", mincore(memory, 8 * PAGE, residency));
    unsigned present = 0;
    for (int i = 0; i < 8; i++)
        present += residency[i] & 1;
    say("present: %u", present);
}

static void size_is_rounded_up(void)
{
    uint8_t *memory = map(NULL, 100, RW, ANONYMOUS, -1, 0);
    WRITE("the last byte of its page", memory + PAGE - 1);
    CALL("unmap one byte of it", munmap(memory, 1));
    READ("the page", memory + 200);
}

static void many(void)
{
    enum { COUNT = 600 };
    uint8_t *memory = map_pages(COUNT);
    bool worked = true;
    for (size_t i = 0; i < COUNT; i += 2)
        worked = worked && mprotect(memory + i * PAGE, PAGE, PROT_READ) == 0;
    say_whether("every second page read-only", worked);
    fill_pages(memory + PAGE, 1, 7);
    WRITE("an even page", memory + 100 * PAGE);
    WRITE("an odd page", memory + 101 * PAGE);
    CALL("all writable again", mprotect(memory, COUNT * PAGE, RW));
    WRITE("an even page", memory + 100 * PAGE);
    CALL("unmap", munmap(memory, COUNT * PAGE));
    READ("an odd page", memory + 101 * PAGE);
}

static void sparse_large(void)
{
    size_t size = (size_t)8 << 30;
    uint8_t *memory = map(NULL, size, RW, ANONYMOUS | MAP_NORESERVE, -1, 0);
    say_mapped("8 GiB without reserve", memory);
    must(memory != MAP_FAILED, "mmap");
    for (size_t at = 0; at < size; at += (size_t)1 << 30)
        memory[at] = (uint8_t)(at >> 30) + 1;
    say("in its sixth: %d", memory[(size_t)5 << 30]);
    say("beside it: %d", memory[((size_t)5 << 30) + PAGE]);
    CALL("unmap", munmap(memory, size));
}

const struct guest_case mmap_cases[] = {
    {"mmap.zero_filled", zero_filled},
    {"mmap.bad_sizes", bad_sizes},
    {"mmap.bad_flags", bad_flags},
    {"mmap.bad_offsets", bad_offsets},
    {"mmap.bad_files", bad_files},
    {"mmap.end_of_file", end_of_file},
    {"mmap.protections", protections},
    {"mmap.execute", execute},
    {"mmap.populate", populate},
    {"mmap.size_is_rounded_up", size_is_rounded_up},
    {"mmap.many", many},
    {"mmap.sparse_large", sparse_large},
    {NULL, NULL},
};
