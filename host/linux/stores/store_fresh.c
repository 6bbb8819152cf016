/* SPDX-License-Identifier: MIT */
#include "store_fresh.h"

#include "store_common.h"

#define BITS 64

bool store_fresh_begin(struct store_fresh *fresh, size_t first, size_t end)
{
    *fresh = (struct store_fresh){.first = first};
    if (first >= end)
        return true;
    fresh->bytes = ((end - first) / BITS + 1) * sizeof *fresh->used;
    fresh->used = store_reserve(fresh->bytes);
    return fresh->used != NULL;
}

void store_fresh_end(struct store_fresh *fresh)
{
    store_release(fresh->used, fresh->bytes);
}

bool store_fresh_is_used(const struct store_fresh *fresh, size_t page)
{
    if (!fresh->used || page < fresh->first)
        return true;
    size_t bit = page - fresh->first;
    return __atomic_load_n(&fresh->used[bit / BITS], __ATOMIC_ACQUIRE) >> bit % BITS & 1;
}

void store_fresh_use(struct store_fresh *fresh, size_t first, size_t count)
{
    if (!fresh->used)
        return;
    for (size_t page = first < fresh->first ? fresh->first : first; page < first + count; page++) {
        size_t bit = page - fresh->first;
        __atomic_fetch_or(&fresh->used[bit / BITS], (uint64_t)1 << bit % BITS, __ATOMIC_RELEASE);
    }
}
