/* SPDX-License-Identifier: MIT */
/* For tests of compressed pages. */
#ifndef STORES_COMPRESSED_H
#define STORES_COMPRESSED_H

#include "support.h"

#define SIZE 60

/* The store that is tested, of SIZE pages. */
extern vm_store *store;

struct vm_store_compressed_info info(void);
/* lz4, segments of four pages. */
struct vm_store_compressed_options plain_options(void);
/* `segments` of them. */
void make_small(size_t segments, vm_store *below);
/* All pages as bad as can be, then so many of them written again, and all once more. */
void fill_and_rewrite(unsigned rounds);

#endif
