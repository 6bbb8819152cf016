/* SPDX-License-Identifier: MIT */
/* One file, many ways to see it: shared and private mappings, read and write. */
#include "cases.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

static uint8_t *map_file(int file, size_t pages, int flags, off_t offset)
{
    void *memory = mmap(NULL, pages * PAGE, RW, flags, file, offset);
    must(memory != MAP_FAILED, "mmap");
    return memory;
}

static int byte_at(int file, off_t position)
{
    uint8_t byte = 0;
    return pread(file, &byte, 1, position) == 1 ? byte : -1;
}

static void put_byte(int file, off_t position, uint8_t byte)
{
    must(pwrite(file, &byte, 1, position) == 1, "pwrite");
}

static void shared_and_calls(void)
{
    int file = make_file("tmp/file", 3 * PAGE);
    uint8_t *memory = map_file(file, 3, MAP_SHARED, 0);
    memory[PAGE + 10] = 111;
    say("written in memory, read by call: %d", byte_at(file, PAGE + 10));
    put_byte(file, 2 * PAGE + 5, 222);
    say("written by call, read in memory: %d", memory[2 * PAGE + 5]);
    put_byte(file, 5, 33);
    say("the first page, touched only now: %d", memory[5]);
}

static void two_shared(void)
{
    int file = make_file("tmp/file", 2 * PAGE);
    int twin = open("tmp/file", O_RDWR);
    uint8_t *one = map_file(file, 2, MAP_SHARED, 0);
    uint8_t *two = map_file(twin, 1, MAP_SHARED, PAGE);
    one[PAGE] = 71;
    say("through the other: %d", two[0]);
    two[1] = 72;
    say("and back: %d", one[PAGE + 1]);
}

static void private_stays_private(void)
{
    int file = make_file("tmp/file", 2 * PAGE);
    uint8_t *private = map_file(file, 2, MAP_PRIVATE, 0);
    uint8_t *shared = map_file(file, 2, MAP_SHARED, 0);
    private[0] = 91;
    say("the file: %d, shared: %d, private: %d", byte_at(file, 0), shared[0], private[0]);
    shared[0] = 92;
    say("the file: %d, shared: %d, private: %d", byte_at(file, 0), shared[0], private[0]);
    shared[PAGE] = 93;
    say("a page not written privately: %d", private[PAGE]);
}

static void private_read_then_write(void)
{
    int file = make_file("tmp/file", PAGE);
    uint8_t *private = map_file(file, 1, MAP_PRIVATE, 0);
    say("read first: %d", private[100]);
    private[100] = 9;
    say("then written: %d, beside it: %d, the file: %d", private[100], private[101],
        byte_at(file, 100));
}

static void closed_and_removed(void)
{
    int file = make_file("tmp/gone", 2 * PAGE);
    uint8_t *memory = map_file(file, 2, MAP_SHARED, 0);
    CALL("close", close(file));
    CALL("unlink", unlink("tmp/gone"));
    say_pages("pages", memory, 2);
    memory[0] = 44;
    say_pages("written", memory, 2);
    CALL("open it", open("tmp/gone", O_RDONLY));
}

static void grows_behind_a_mapping(void)
{
    int file = make_file("tmp/file", PAGE);
    uint8_t *memory = map_file(file, 3, MAP_SHARED, 0);
    READ("behind the end", memory + PAGE);
    put_byte(file, PAGE + 7, 66);
    say("after it grew: %d", memory[PAGE + 7]);
    READ("still behind the end", memory + 2 * PAGE);
    CALL("longer", ftruncate(file, 3 * PAGE));
    READ("no longer", memory + 2 * PAGE);
    memory[2 * PAGE] = 67;
    say("in the file: %d", byte_at(file, 2 * PAGE));
}

static void write_in_child(void *argument)
{
    uint8_t *memory = argument;
    memory[0] = 101;
    memory[PAGE] = 102;
}

static void shared_with_a_child(void)
{
    int file = make_file("tmp/file", 2 * PAGE);
    uint8_t *memory = map_file(file, 2, MAP_SHARED, 0);
    in_child("child", write_in_child, memory);
    say("the parent sees %d %d", memory[0], memory[PAGE]);
    uint8_t *private = map_file(file, 2, MAP_PRIVATE, 0);
    private[1] = 1;
    in_child("child", write_in_child, private);
    say("of a private one %d %d", private[0], private[PAGE]);
}

static void calls_on_mapped_buffers(void)
{
    int file = make_file("tmp/file", 4 * PAGE);
    uint8_t *memory = map_file(file, 4, MAP_SHARED, 0);
    CALL("write a file's own page to it", pwrite(file, memory + PAGE, PAGE, 3 * (off_t)PAGE));
    say("it arrived: %d", memory[3 * PAGE]);
    CALL("read a page into its own file", pread(file, memory + 2 * PAGE, PAGE, 0));
    say("it arrived: %d", byte_at(file, 2 * PAGE));
    uint8_t *private = map_file(file, 4, MAP_PRIVATE, 0);
    CALL("read into private pages", pread(file, private, 2 * PAGE, PAGE));
    say("private: %d %d, the file: %d %d", private[0], private[PAGE], byte_at(file, 0),
        byte_at(file, PAGE));
}

static void read_into_fresh_memory(void)
{
    int file = make_file("tmp/file", 5 * PAGE + 123);
    uint8_t *memory = map_pages(8);
    CALL("at its end already", read(file, memory, 8 * PAGE));
    CALL("to the start", lseek(file, 0, SEEK_SET));
    CALL("read it all", read(file, memory, 8 * PAGE));
    CALL("at its end", read(file, memory, 8 * PAGE));
    CALL("back to the start", lseek(file, 0, SEEK_SET));
    CALL("read across pages", read(file, memory + 100, 2 * PAGE));
    say("bytes: %d %d %d", memory[100], memory[100 + PAGE], memory[100 + 2 * PAGE]);
    say_pages("pages", memory, 8);
}

static void write_from_fresh_memory(void)
{
    int file = make_file("tmp/file", 0);
    uint8_t *memory = map_pages(3);
    CALL("write three fresh pages", write(file, memory, 3 * PAGE));
    say("they are zeros: %d", byte_at(file, 2 * PAGE));
    CALL("the length", lseek(file, 0, SEEK_END));
    CALL("beyond the end", pwrite(file, "x", 1, 6 * PAGE));
    say("the gap: %d, the byte: %d", byte_at(file, 5 * PAGE), byte_at(file, 6 * PAGE));
}

static void large(void)
{
    int file = make_file("tmp/large", 700 * PAGE);
    uint8_t *memory = map_file(file, 700, MAP_SHARED, 0);
    unsigned sum = 0;
    for (size_t i = 0; i < 700; i++)
        sum += memory[i * PAGE + i];
    say("sum: %u", sum);
    for (size_t i = 0; i < 700; i += 7)
        memory[i * PAGE] = 255;
    unsigned found = 0;
    for (size_t i = 0; i < 700; i++)
        found += byte_at(file, (off_t)(i * PAGE)) == 255;
    say("found in the file: %u", found);
    CALL("unmap", munmap(memory, 700 * PAGE));
    CALL("unlink", unlink("tmp/large"));
}

const struct guest_case file_cases[] = {
    {"file.shared_and_calls", shared_and_calls},
    {"file.two_shared", two_shared},
    {"file.private_stays_private", private_stays_private},
    {"file.private_read_then_write", private_read_then_write},
    {"file.closed_and_removed", closed_and_removed},
    {"file.grows_behind_a_mapping", grows_behind_a_mapping},
    {"file.shared_with_a_child", shared_with_a_child},
    {"file.calls_on_mapped_buffers", calls_on_mapped_buffers},
    {"file.read_into_fresh_memory", read_into_fresh_memory},
    {"file.write_from_fresh_memory", write_from_fresh_memory},
    {"file.large", large},
    {NULL, NULL},
};
