/* SPDX-License-Identifier: MIT */
/* Pages that go and come back. Each "mark NAME" is printed when what it names is over; then the program
 * sleeps, so that whoever counts can look. "pages NAME N" says for how many pages that was. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define PAGES ((size_t)2048)
#define STEP 1237 /* prime to PAGES: an order that no reading ahead helps */

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static unsigned checksum;

static void mark(const char *name, size_t pages)
{
    printf("pages %s %zu\n", name, pages);
    printf("mark %s\n", name);
    sleep(1);
}

static uint8_t *map(size_t pages)
{
    uint8_t *memory =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

static void write_pages(uint8_t *memory, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        memory[i * PAGE] = (uint8_t)(i + 1);
}

static void read_pages(const uint8_t *memory, size_t pages, size_t step)
{
    for (size_t i = 0, at = 0; i < pages; i++, at = (at + step) % pages)
        checksum += memory[at * PAGE] == (uint8_t)(at + 1);
}

static void page_out(uint8_t *memory, size_t pages)
{
    if (madvise(memory, pages * PAGE, MADV_PAGEOUT) != 0)
        perror("madvise");
}

/* Linux leaves a page in memory that has been written for this, until it is short of it or asked again. So
 * only what is let go unchanged has gone in both. */
static void go_and_come_back(void)
{
    uint8_t *memory = map(PAGES);
    write_pages(memory, PAGES);
    mark("begin", 0);
    mark("nothing", 0);
    page_out(memory, PAGES);
    mark("written_out", PAGES);
    read_pages(memory, PAGES, 1);
    mark("back", PAGES);
    page_out(memory, PAGES);
    mark("let_go", PAGES);
    read_pages(memory, PAGES, 1);
    mark("read_in_order", PAGES);
    page_out(memory, PAGES);
    mark("let_go_again", PAGES);
    read_pages(memory, PAGES, STEP);
    mark("read_at_random", PAGES);
    munmap(memory, PAGES * PAGE);
}

static size_t free_pages(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "MemFree: %lu", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kib / 4;
}

/* Twice what is free: the first half finds frames, the second one has to make them. */
static void more_than_there_is(void)
{
    size_t half = free_pages() / 2, all = 4 * half;
    uint8_t *memory = map(all);
    mark("begin", 0);
    write_pages(memory, half);
    mark("fresh", half);
    for (size_t i = half; i < 3 * half; i++) /* until memory is full, and well beyond */
        memory[i * PAGE] = (uint8_t)(i + 1);
    mark("filled", 2 * half);
    for (size_t i = 3 * half; i < all; i++)
        memory[i * PAGE] = (uint8_t)(i + 1);
    mark("fresh_when_full", half);
    read_pages(memory, half, 1);
    mark("read_when_full", half);
    checksum += memory[(all - 1) * PAGE] == (uint8_t)all;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    go_and_come_back();
    more_than_there_is();
    printf("end: %u\n", checksum);
    return 0;
}
