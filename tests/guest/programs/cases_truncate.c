/* SPDX-License-Identifier: MIT */
/* Files that get shorter while they are mapped. */
#include "cases.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

static uint8_t *map_file(int file, size_t pages, int flags)
{
    void *memory = mmap(NULL, pages * PAGE, RW, flags, file, 0);
    must(memory != MAP_FAILED, "mmap");
    return memory;
}

static void shared(void)
{
    int file = make_file("tmp/short", 4 * PAGE);
    uint8_t *memory = map_file(file, 4, MAP_SHARED);
    memory[3 * PAGE] = 1;
    CALL("to two pages", ftruncate(file, 2 * PAGE));
    READ("kept", memory + PAGE);
    READ("cut, never touched", memory + 2 * PAGE);
    READ("cut, written before", memory + 3 * PAGE);
    WRITE("write where it is cut", memory + 3 * PAGE);
}

static void private(void)
{
    int file = make_file("tmp/short", 4 * PAGE);
    uint8_t *memory = map_file(file, 4, MAP_PRIVATE);
    memory[3 * PAGE] = 77;
    memory[0] = 76;
    CALL("to one page", ftruncate(file, PAGE));
    say("own copy of a kept page: %d", memory[0]);
    READ("cut", memory + PAGE);
    READ("cut, an own copy", memory + 3 * PAGE);
}

static void and_longer_again(void)
{
    int file = make_file("tmp/short", 3 * PAGE);
    uint8_t *memory = map_file(file, 3, MAP_SHARED);
    say_pages("before", memory, 3);
    CALL("to a page and 10 bytes", ftruncate(file, PAGE + 10));
    CALL("to three pages", ftruncate(file, 3 * PAGE));
    say_pages("after", memory, 3);
    say("bytes 9, 10, last of the second page: %d %d %d", memory[PAGE + 9], memory[PAGE + 10],
        memory[2 * PAGE - 1]);
}

static void rest_of_the_last_page(void)
{
    int file = make_file("tmp/short", 2 * PAGE);
    uint8_t *memory = map_file(file, 2, MAP_SHARED);
    CALL("to 100 bytes", ftruncate(file, 100));
    say("bytes 99, 100, 4095: %d %d %d", memory[99], memory[100], memory[PAGE - 1]);
    memory[200] = 55;
    say("written behind the end: %d", memory[200]);
    uint8_t byte = 1;
    CALL("it isn't in the file", pread(file, &byte, 1, 200));
    READ("the next page", memory + PAGE);
}

static void to_nothing(void)
{
    int file = make_file("tmp/short", 2 * PAGE);
    uint8_t *memory = map_file(file, 2, MAP_SHARED);
    WRITE("before", memory);
    int again = open("tmp/short", O_RDWR | O_TRUNC);
    say_whether("truncated by open", again >= 0);
    READ("after", memory);
    CALL("one byte", pwrite(file, "\x05", 1, 0));
    say("it is there: %d, the next: %d", memory[0], memory[1]);
}

static void wait_and_read(void *argument)
{
    uint8_t *memory = argument;
    READ("in the child, kept", memory);
    READ("in the child, cut", memory + PAGE);
}

static void while_a_child_maps_it(void)
{
    int file = make_file("tmp/short", 2 * PAGE);
    uint8_t *memory = map_file(file, 2, MAP_PRIVATE);
    memory[PAGE] = 3;
    CALL("to one page", ftruncate(file, PAGE));
    in_child("child", wait_and_read, memory);
}

static void bad_lengths(void)
{
    int file = make_file("tmp/short", PAGE);
    int readable = open("tmp/short", O_RDONLY);
    CALL("negative", ftruncate(file, -1));
    CALL("of a file open for reading", ftruncate(readable, 0));
    CALL("of no file", ftruncate(12345, 0));
    CALL("by a name that isn't", truncate("tmp/nothing/there", 0));
    CALL("of a directory", truncate("tmp", 0));
    CALL("by name", truncate("tmp/short", 10));
    CALL("the length", lseek(file, 0, SEEK_END));
}

static void killed_by_default(void *argument)
{
    uint8_t *memory = argument;
    memory[PAGE]++;
}

static void without_a_handler(void)
{
    int file = make_file("tmp/short", PAGE);
    uint8_t *memory = map_file(file, 2, MAP_SHARED);
    in_child("a write behind the end", killed_by_default, memory);
}

const struct guest_case truncate_cases[] = {
    {"truncate.shared", shared},
    {"truncate.private", private},
    {"truncate.and_longer_again", and_longer_again},
    {"truncate.rest_of_the_last_page", rest_of_the_last_page},
    {"truncate.to_nothing", to_nothing},
    {"truncate.while_a_child_maps_it", while_a_child_maps_it},
    {"truncate.bad_lengths", bad_lengths},
    {"truncate.without_a_handler", without_a_handler},
    {NULL, NULL},
};
