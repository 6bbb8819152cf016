/* SPDX-License-Identifier: MIT */
/* Pages that a creation has added to a file: each has a bit, set once it was written. */
#ifndef STORE_FRESH_H
#define STORE_FRESH_H

#include <quire/types.h>

struct store_fresh {
    size_t first, bytes;
    uint64_t *used; /* atomic; NULL: there are none */
};

/* Pages [first, end), if that is any. False: no memory. */
bool store_fresh_begin(struct store_fresh *fresh, size_t first, size_t end);
void store_fresh_end(struct store_fresh *fresh);
/* Whether the page was there before, or was written. */
bool store_fresh_is_used(const struct store_fresh *fresh, size_t page);
/* Before they are: a write that fails may have left something. */
void store_fresh_use(struct store_fresh *fresh, size_t first, size_t count);

#endif
