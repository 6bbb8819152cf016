/* SPDX-License-Identifier: MIT */
/* Disks: what can be read and written in sectors of 512 bytes, from and to whole frames.
 *
 * These calls are made when memory is short, to get some back: they allocate nothing. When all of a
 * device's requests are under way they wait for one. */
#ifndef KERNEL_BLOCK_H
#define KERNEL_BLOCK_H

#include <quire/store.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_SECTOR ((uint64_t)512)
#define BLOCK_PIECE 16 /* frames that are moved by one request, at most */
#define BLOCK_NAME_LENGTH 20
#define BLOCK_MAX_DEVICES 32

struct block_device {
    char name[BLOCK_NAME_LENGTH +
              1]; /* what the machine's command line calls it: its serial number */
    uint64_t sectors;
    bool read_only;
    /* What was done, flushes left out; atomic. */
    uint64_t reads, writes, bytes_read, bytes_written, errors;
};

/* Finds the disks. They stay for good. => before any other thread knows of disks */
void block_init(void);
unsigned block_count(void);
struct block_device *block_at(unsigned index);
struct block_device *block_find(const char *name);

/* Move the bytes from `offset` (a multiple of the sector) on, as many as there are in `count` frames and
 * before the device's end; the rest of the frames is left alone. Sleep. VM_OK, ERR_IO (also of a write to
 * what is read-only). */
int block_read(struct block_device *device, uint64_t offset, const addr_t *frames, size_t count);
int block_write(struct block_device *device, uint64_t offset, const addr_t *frames, size_t count);
/* What was written is on the disk when this returns VM_OK. Sleeps. */
int block_flush(struct block_device *device);

/* A store of whole pages at the same offsets of the device. NULL: no memory. */
vm_store *block_store_create(struct block_device *device);

/* Gives the core each disk whose name begins with "swap", as room for pages of memory. */
void swap_init(void);

#endif
