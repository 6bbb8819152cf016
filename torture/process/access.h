/* SPDX-License-Identifier: MIT */
/* Reads and writes of regions, with the signals that they may give. */
#ifndef QUIRE_TORTURE_PROCESS_ACCESS_H
#define QUIRE_TORTURE_PROCESS_ACCESS_H

#include "world.h"

/* Takes SIGBUS and SIGSEGV; before Quire is started. */
void access_start(void);
/* Reads a byte; the signal that it gave, or 0. */
int access_touch(const unsigned char *at);

/* The bytes [from, from + size) of a page are what they must be, or can't be read as it must be. */
void access_compare(struct region *region, size_t page, size_t from, size_t size);
/* Writes them, there and in the world's bytes, or finds that it may not. */
void access_write(struct region *region, size_t page, size_t from, size_t size, const void *bytes);
/* A page of one region to one of another, by one instruction. */
void access_copy(const struct region *from, size_t page, struct region *to, size_t to_page);
/* An atomic addition. */
void access_add(struct region *region, size_t page, size_t word, uint64_t value);
/* After something else than access_write has written this part of the page. */
void access_has_written(struct region *region, size_t page, size_t from, size_t size);

#endif
