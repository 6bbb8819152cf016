/* SPDX-License-Identifier: MIT */
/* What bench/process.c measures, each in a file of its own: ways to use a file that is larger than the memory
 * for it. */
#ifndef QUIRE_BENCH_PROCESS_H
#define QUIRE_BENCH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)

struct way {
    const char *name;
    int open_flags; /* of the file, beside O_RDWR */
    bool has_threads;
    /* Begins with the file; where it is memory then, its address, else NULL. */
    unsigned char *(*start)(int fd, size_t size, size_t budget);
    /* Where there is no memory: the word at an offset, to be read or written. */
    uint64_t *(*find)(size_t offset, bool write);
    /* All that was written is in the file. */
    void (*finish)(void);
    uint64_t (*faults)(void); /* so far */
};

extern const struct way way_mmap, way_mmap_random, way_pool, way_floor, way_quire, way_quire_64k,
    way_quire_4k, way_quire_direct, way_direct_64k;

_Noreturn void fail(const char *what);

#endif
