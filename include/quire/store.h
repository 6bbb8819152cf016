/* SPDX-License-Identifier: MIT */
/* A store: where a cache's pages come from and go to. For those who write one. */
#ifndef QUIRE_STORE_H
#define QUIRE_STORE_H

#include <quire/types.h>

/* All offsets are in bytes and page aligned. Every operation but acquire_ref and release_ref may
 * sleep, and `read` and `write` are called with no lock of the core held. An operation left NULL
 * has the default named behind it. */
struct vm_store_ops {
    /* The store's last call; frees it. Required. */
    void (*destroy)(vm_store *store);
    /* Promise room for `size` bytes in all: charges or gives back the difference to
     * store->committed_size and sets it. Called with the cache locked. VM_OK,
     * ERR_VM_WOULD_OVERCOMMIT; ERR_PERMISSION_DENIED: nothing may be written. NULL: nothing is charged. */
    int (*commit)(vm_store *store, off_t size);
    /* Whether `read` would bring a page at `offset`. Called with the cache locked, so it must not
     * sleep. NULL: never. */
    bool (*has_page)(vm_store *store, off_t offset);
    /* Fills `count` frames. *done is how many bytes were filled: the core clears the rest.
     * VM_OK, ERR_IO or what the store has to say; the faulting thread gets it. */
    int (*read)(vm_store *store, off_t offset, const addr_t *frames, size_t count, size_t *done);
    /* Writes `count` frames, up to size(store) where there is one. Less than that must be an error: on VM_OK
     * the frames may be used for something else. */
    int (*write)(vm_store *store, off_t offset, const addr_t *frames, size_t count, size_t *done);
    /* Nobody will read these `count` pages before they are written again; they needn't have been. Called by the
     * core for its swap, with locks of the core's held: no I/O, and no call of the core. NULL: nothing. */
    void (*discard)(vm_store *store, off_t offset, size_t count);
    /* Resolves a fault by itself: it is called instead of everything else, with the address space's
     * map read-locked, and maps what it wants through vm_store_map_frame. VM_OK or an error for the
     * faulting thread. NULL: the core resolves faults. */
    int (*fault)(vm_store *store, vm_region *region, addr_t address, unsigned access);
    /* A fault that goes past `size(store)` fails with ERR_VM_PF_PAST_END. NULL: no end. Called with
     * the cache locked. */
    off_t (*size)(vm_store *store);
    /* One call for each reference taken on, and given back from, the store's cache. NULL: nothing. */
    void (*acquire_ref)(vm_store *store);
    void (*release_ref)(vm_store *store);
};

#define VM_STORE_MAGIC 0x766d7374u /* 'vmst' */

struct vm_store {
    uint32_t magic;
    const struct vm_store_ops *ops;
    vm_cache *cache;      /* NULL until vm_cache_create */
    void *data;           /* the store's own */
    off_t committed_size; /* bytes promised; guarded by the cache's lock */
};

/* The four of NewOS; NULL when there is no memory. */
vm_store *vm_store_create_anonymous_noswap(void);
vm_store *vm_store_create_device(addr_t base);
vm_store *vm_store_create_null(void);
vm_store *vm_store_create_vnode(void *vnode);

/* For a store's `fault`: maps the frame at `physical`, which need not be memory of the core's, at
 * `address` in `region`. VM_OK, ERR_NO_MEMORY. */
int vm_store_map_frame(vm_region *region, addr_t address, addr_t physical);
/* The same for `count` frames in a row, at pages in a row that must be the region's. What shows the right
 * frame already is left. ERR_NO_MEMORY: those before are mapped. */
int vm_store_map_frames(vm_region *region, addr_t address, addr_t physical, size_t count);

/* For a store's `fault`, while that is running: where the region is, and what it shows. */
struct vm_store_region {
    addr_t base, size;
    off_t offset; /* of base, in the cache */
};
void vm_store_get_region(const vm_region *region, struct vm_store_region *where);

#endif
