/* SPDX-License-Identifier: MIT */
/* For tests of stores: a host of nothing but frames and waiting, pages with known bytes, and one struct to make
 * any store by its name. */
#ifndef STORES_SUPPORT_H
#define STORES_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <cmocka.h>

#include <quire/host.h>
#include <quire/stores.h>

#define PAGE VM_PAGE_SIZE
#define PAGES(n) ((off_t)(n) * (off_t)VM_PAGE_SIZE)
#define OK(call) assert_int_equal((call), VM_OK)

/* ---- frames ---- */

/* As the core's: no two are in a row for host_frame_ptr. */
int frames_allocate(size_t count, bool clear, addr_t *physical);
void frames_free(addr_t physical, size_t count);
size_t frames_used(void);
/* The n-th request from now on, and all that follow, fail; 0: none. */
void frames_fail(size_t n);

/* ---- pages ---- */

/* Bytes that belong to `seed`: an eighth of the seeds are zeros, the others shrink, more or less, or don't. */
void page_fill(void *page, uint64_t seed);
bool page_is(const void *page, uint64_t seed);
uint64_t next_random(uint64_t *state);
/* The n-th seed of a page that becomes so many eighths of its size, about; 8: it doesn't shrink. */
uint64_t seed_of(unsigned eighths, size_t n);

/* One page through a store, by way of a frame of its own. */
int store_put(vm_store *store, size_t page, uint64_t seed);
/* What the read says; VM_OK only where the page is `seed`'s. Fails the test where it is another. */
int store_check(vm_store *store, size_t page, uint64_t seed);
/* The same of a page of zeros that nobody has written. */
int store_check_zero(vm_store *store, size_t page);
void store_end(vm_store *store);

/* ---- stores ---- */

/* A file in the tests' folder, gone when the store is made: room for `pages`. */
int temporary_file(void);
vm_store *make_file(size_t pages);
vm_store *make_memory(size_t pages);
/* Small segments, two operations. `below` may be NULL. */
vm_store *make_compressed(size_t pages, enum vm_store_coder coder, vm_store *below);
/* What `below` must have room for. */
size_t space_below(size_t pages);
vm_store *make_checksum(size_t pages, vm_store *below);

#endif
