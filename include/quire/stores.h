/* SPDX-License-Identifier: MIT */
/* Stores for Linux programs and for the simulator, as struct vm_store, and alone or on one another. The library
 * quire_stores has them; it needs libc, lz4, zstd, xxhash, liburing and of host.h host_frame_ptr, host_wait and
 * host_wake. Whoever has `vm_create_cache` or `vm_swap_add` can use them; so can anybody else who has frames.
 *
 * Common to all of them:
 *   Ownership  A store is its creator's until it is given to the core or to a store above, which then calls its
 *              `destroy`. Where the creation of a store above fails, the one below is still the creator's.
 *   Threads    Any number may read, write and discard at once, the same pages, too: a page that is read while
 *              it is written is the old or the new one, as a whole (a file's: each byte of it). Nothing else
 *              may be under way in `destroy`.
 *   Memory     None is allocated after creation; they work when the core has no frame left.
 *   Alignment  Offsets are page aligned and not negative: else ERR_INVALID_ARGS. Frames need no alignment
 *              beyond their own, and not to be in a row.
 *   The end    A read or write that begins at or behind the store's end is ERR_VM_PF_PAST_END; of one that goes
 *              past it, what is behind is left out.
 *   Errors     A failed write leaves each page old or new (a file's may be a mixture), in *done those that are
 *              new for sure. What was never written reads as zeros, but isn't there for `has_page`.
 *   Creation   ERR_INVALID_ARGS, ERR_NO_MEMORY, and what is said below; *store is set with VM_OK only. */
#ifndef QUIRE_STORES_H
#define QUIRE_STORES_H

#include <quire/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a file or a block device -------------------------------------------------------------------- */

#define VM_STORE_FILE_WRITABLE 0x1u
/* Make it where it isn't, and make it long enough: needs a length. What that adds is a hole that has no page
 * (`has_page`) until this store writes it: whoever maps the store has zeros there, whatever others write. */
#define VM_STORE_FILE_CREATE 0x2u
#define VM_STORE_FILE_NO_RING 0x4u /* don't try io_uring */

struct vm_store_file_options {
    const char *path; /* NULL: `descriptor`, of which the store keeps a copy */
    int descriptor; /* opened once more by /proc, where that can be, for reads of more than 16 pages */
    unsigned flags;
    off_t offset; /* of the store's first byte in the file: any */
    off_t length; /* in bytes: any. 0: up to the file's end, as it is now */
};

/* Bytes [offset, offset + length) of a regular file or a block device. Nothing is ever written outside of them,
 * and what a last, partial page has behind them is zeros. Where the file is shorter than it was, or gets shorter,
 * an access behind its end is ERR_VM_PF_PAST_END, and no signal; it isn't made longer.
 * ERR_NOT_FOUND, ERR_PERMISSION_DENIED, ERR_IO; ERR_INVALID_ARGS also for another kind of file, and for a range
 * that isn't in the file. Writing without WRITABLE is ERR_PERMISSION_DENIED, and so is `commit`. */
int vm_store_create_file(const struct vm_store_file_options *options, vm_store **store);

struct vm_store_file_info {
    off_t length; /* less than it was made with when the file has become shorter */
    bool
        ring; /* several reads of one call of 16 pages at most are in flight at once, through io_uring */
    int last_errno; /* of the last operation that failed; 0: none has */
};
void vm_store_file_info(vm_store *store, struct vm_store_file_info *info);
/* What was written is on the disk when this returns: fdatasync. ERR_IO. */
int vm_store_file_sync(vm_store *store);

/* ---- memory ------------------------------------------------------------------------------------- */

/* Pages of the process's memory: those written and not discarded use some, the rest only addresses.
 * ERR_NO_MEMORY: no addresses. */
int vm_store_create_memory(size_t pages, vm_store **store);
/* Pages that use memory now. */
size_t vm_store_memory_pages(vm_store *store);

/* ---- compressed --------------------------------------------------------------------------------- */

enum vm_store_coder { VM_STORE_LZ4, VM_STORE_ZSTD };

struct vm_store_compressed_options {
    size_t pages; /* the store's end */
    enum vm_store_coder coder;
    /* lz4: acceleration, from 1 (0: 1) to 65537; zstd: -131072 to 22 (0: 3) */
    int level;
    /* Bytes that compressed pages may use, of memory or of `below`'s space from 0 on: whole segments of it are
     * used, four at least. 0: vm_store_compressed_space(pages, segment_pages), so that there is room for all,
     * however bad. */
    size_t space;
    vm_store *below;      /* NULL: in memory */
    size_t segment_pages; /* what is written to `below` at once: 2 to 16; 0: 16 */
    size_t operations;    /* at once, without waiting for others; 0: 4 */
    /* With `below` only: where frames come from, (2 + operations) * segment_pages of them, one by one, at
     * creation. vm_allocate_frames and vm_free_frames, or one's own. */
    int (*allocate_frames)(size_t count, bool clear, addr_t *physical);
    void (*free_frames)(addr_t physical, size_t count);
};

/* Pages as lz4's or zstd's bytes, one by one; those that don't shrink by an eighth as they are; pages of zeros as
 * nothing. A page that isn't what was written (what `below` has given back can't be decoded) is ERR_IO.
 * A write is ERR_NO_MEMORY when there is no room. What is kept `below` can be read by this store only, as long as
 * it lives. `commit` promises what there is room for at worst. */
int vm_store_create_compressed(const struct vm_store_compressed_options *options, vm_store **store);
/* The space in which there is room for so many pages that don't shrink. */
size_t vm_store_compressed_space(size_t pages, size_t segment_pages);

struct vm_store_compressed_info {
    size_t pages;      /* kept */
    size_t zero_pages; /* of these: all zeros */
    size_t raw_pages;  /* of these: as they are */
    size_t bytes;      /* of what they have become; pages * VM_PAGE_SIZE / bytes is the ratio */
    size_t used;       /* of the space, with what is free in between */
    size_t space;
    uint64_t cleanings;  /* times a segment was emptied into another */
    uint64_t bad_blobs;  /* times a page couldn't be decoded */
    size_t bad_segments; /* that couldn't be read, and aren't cleaned any more */
};
void vm_store_compressed_info(vm_store *store, struct vm_store_compressed_info *info);

/* ---- checksums ---------------------------------------------------------------------------------- */

struct vm_store_checksum_options {
    vm_store *below; /* any store that has a `read` and no `fault` */
    size_t pages;    /* of it, that are checked: its end, as far as this store goes */
    /* Called by the reading thread, with nothing locked, for each bad page; may be NULL. */
    void (*bad_page)(void *argument, off_t offset);
    void *argument;
};

/* Another store, of which each page that was written through this one must come back as it was: ERR_IO. Pages
 * that weren't, and those whose last write failed, are not checked. Where the store below has no end, this one
 * ends behind `pages`. */
int vm_store_create_checksum(const struct vm_store_checksum_options *options, vm_store **store);

struct vm_store_checksum_info {
    uint64_t checked, bad; /* pages */
    off_t last_bad;        /* -1: none */
};
void vm_store_checksum_info(vm_store *store, struct vm_store_checksum_info *info);

#ifdef __cplusplus
}
#endif

#endif
