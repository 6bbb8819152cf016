/* SPDX-License-Identifier: MIT */
/* Several reads in flight at once, where the system has io_uring and lets us. */
#ifndef STORE_RING_H
#define STORE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct store_ring;

/* NULL: there is none to be had. */
struct store_ring *store_ring_create(void);
void store_ring_destroy(struct store_ring *ring);
/* Reads into the pieces, up to 64, from `offset` of the file on. How many bytes, from the first on, are there for
 * sure: the rest, for whatever reason, is to be read in another way. 0 also while another thread has the ring. */
size_t store_ring_read(struct store_ring *ring, int file, off_t offset, const struct iovec *pieces,
                       size_t count);

#endif
