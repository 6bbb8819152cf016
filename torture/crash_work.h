/* SPDX-License-Identifier: MIT */
/* What the threads of crash.h do, and what they know of each number that they have written. */
#ifndef QUIRE_TORTURE_CRASH_WORK_H
#define QUIRE_TORTURE_CRASH_WORK_H

#include <sim.h>

#define CRASH_FILES 2
#define CRASH_PAGES 12
#define CRASH_WRITERS 3
#define CRASH_PAIR 2 /* each writer has two numbers in each page, and writes the first one first */

/* A number in a file: it only grows. */
struct crash_cell {
    uint32_t begun, written, confirmed;
};

struct crash_work {
    aspace_id program;
    sim_file *file[CRASH_FILES];
    vm_cache_ref *cache[CRASH_FILES];
    struct crash_cell cell[CRASH_FILES][CRASH_PAGES][CRASH_WRITERS][CRASH_PAIR];
};
extern struct crash_work crash_work;

/* Where the number is in its file, and how it is written there. */
size_t crash_offset(unsigned page, unsigned writer, unsigned which);
uint64_t crash_word(unsigned file, unsigned page, unsigned writer, unsigned which, uint32_t number);

/* Makes the files and maps them. What isn't a number has the byte of its page (crash_byte). */
void crash_work_begin(uint64_t seed);
uint8_t crash_byte(unsigned page);
/* A thread: `number` is the writer's. */
int crash_writer(void *number);
/* All that was written is on the disk when this returns. Gives back what crash_work_begin took. */
void crash_work_end(void);

#endif
