/* SPDX-License-Identifier: MIT */
/* A file, a store over it, and frames to read and write by. One at a time. */
#ifndef STORES_FILE_H
#define STORES_FILE_H

#include "faults.h"
#include "support.h"

#define WRITABLE VM_STORE_FILE_WRITABLE
#define NO_RING VM_STORE_FILE_NO_RING
#define MANY 300

extern vm_store *store;
extern int file;
extern addr_t frames[MANY];

/* A file whose byte i is i % 251, and a store over part of it (length 0: the rest). */
void open_part(size_t size, unsigned flags, off_t offset, off_t length);
/* Over all of it. */
void open_all(size_t size, unsigned flags);
/* Neither is any more, and nothing fails. */
void end(void);

/* The first frames, by one call of the store. */
int read_pages(size_t page, size_t count, size_t *done);
int write_pages(size_t page, size_t count, size_t *done);
off_t file_size(void);

#endif
