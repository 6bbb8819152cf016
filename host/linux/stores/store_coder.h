/* SPDX-License-Identifier: MIT */
/* One page to bytes and back, by lz4 or zstd, in memory that was given before. */
#ifndef STORE_CODER_H
#define STORE_CODER_H

#include <quire/stores.h>

struct store_coder {
    enum vm_store_coder kind;
    int level;
    void *pack, *unpack; /* the library's states, in the memory */
};

/* Whether there is such a coder with such a level; 0 becomes the default one. */
bool store_coder_is_valid(enum vm_store_coder kind, int *level);
/* What one of this kind needs, aligned to 16. */
size_t store_coder_memory(enum vm_store_coder kind, int level);
/* False: the memory isn't enough for the library. */
bool store_coder_begin(struct store_coder *coder, enum vm_store_coder kind, int level,
                       void *memory);
/* The length; 0: it doesn't become that short. */
size_t store_coder_pack(struct store_coder *coder, const void *page, void *bytes, size_t most);
/* False: these bytes are no page. Nothing is written outside of `page`, whatever they are. */
bool store_coder_unpack(struct store_coder *coder, const void *bytes, size_t length, void *page);

#endif
