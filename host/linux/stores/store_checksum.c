/* SPDX-License-Identifier: MIT */
/* A hash for each page that was written, and a word for its state. Writers take the word, so the hash is that of
 * the last of them; readers look at it before and after. */
#include "store_common.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define KNOWN 0x1u   /* the hash is that of what was written last */
#define WRITING 0x2u /* its writer alone may change the state */
#define AWAITED 0x4u /* somebody waits for WRITING to go */
#define VERSION 0x8u /* one more with each write */
#define MOST_PAGES (SIZE_MAX / VM_PAGE_SIZE / 4)
#define RUN VM_MOST_AHEAD /* pages read from below at once */

struct checksum_store {
    vm_store store;
    struct vm_store_checksum_options options;
    uint32_t *state; /* atomic */
    uint64_t *hash;  /* atomic; meaningful where KNOWN */
    uint64_t checked, bad;
    off_t last_bad;
};

static vm_store *below(vm_store *store)
{
    return ((struct checksum_store *)store->data)->options.below;
}

static off_t checksum_size(vm_store *store)
{
    const struct checksum_store *sums = store->data;
    const vm_store *lower = sums->options.below;
    off_t end = (off_t)(sums->options.pages * VM_PAGE_SIZE);
    off_t below_end = lower->ops->size ? lower->ops->size(sums->options.below) : end;
    return below_end < end ? below_end : end;
}

/* How many bytes of the page are the store's. */
static size_t bytes_of(vm_store *store, size_t page)
{
    off_t left = checksum_size(store) - (off_t)(page * VM_PAGE_SIZE);
    return left <= 0 ? 0 : left < (off_t)VM_PAGE_SIZE ? (size_t)left : VM_PAGE_SIZE;
}

static uint64_t hash_of(vm_store *store, size_t page, const void *frame)
{
    return XXH3_64bits(frame, bytes_of(store, page));
}

static int clamp(vm_store *store, off_t offset, size_t *count)
{
    size_t pages = ((size_t)checksum_size(store) + VM_PAGE_MASK) >> VM_PAGE_SHIFT;
    return store_clamp(offset, count, pages);
}

/* ---- states ------------------------------------------------------------------------------------- */

/* Waits until nobody writes the page; its state then. */
static uint32_t settled(uint32_t *state)
{
    uint32_t now;
    while ((now = __atomic_load_n(state, __ATOMIC_ACQUIRE)) & WRITING) {
        uint32_t awaited = now | AWAITED;
        if (now == awaited || __atomic_compare_exchange_n(state, &now, awaited, false,
                                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            (void)host_wait(state, awaited, VM_NO_DEADLINE, false);
    }
    return now;
}

static void begin_write(uint32_t *state)
{
    for (;;) {
        uint32_t now = settled(state);
        uint32_t writing = (now & ~KNOWN) | WRITING;
        if (__atomic_compare_exchange_n(state, &now, writing, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return;
    }
}

static void end_write(uint32_t *state, bool known)
{
    uint32_t now = __atomic_load_n(state, __ATOMIC_RELAXED);
    uint32_t next = ((now & ~(WRITING | AWAITED | KNOWN)) + VERSION) | (known ? KNOWN : 0);
    if (__atomic_exchange_n(state, next, __ATOMIC_ACQ_REL) & AWAITED)
        host_wake(state, UINT32_MAX);
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* => states: taken. Whether page `i` of the run is below for sure, as it was hashed: a frame may be written by a
 * program while it is written out, and is then written once more. */
static bool is_known(struct checksum_store *sums, size_t page, addr_t frame, bool written)
{
    return written && hash_of(&sums->store, page, host_frame_ptr(frame)) ==
                          __atomic_load_n(&sums->hash[page], __ATOMIC_RELAXED);
}

/* Pages are taken in the order of their offsets, so two runs that overlap don't wait for each other. */
static int checksum_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                          size_t *done)
{
    struct checksum_store *sums = store->data;
    size_t first = store_page_of(offset);
    *done = 0;
    if (!below(store)->ops->write)
        return ERR_UNSUPPORTED;
    int error = clamp(store, offset, &count);
    if (error != VM_OK)
        return error;
    size_t wanted = (count - 1) * VM_PAGE_SIZE + bytes_of(store, first + count - 1);
    for (size_t i = 0; i < count; i++) {
        begin_write(&sums->state[first + i]);
        uint64_t hash = hash_of(store, first + i, host_frame_ptr(frames[i]));
        __atomic_store_n(&sums->hash[first + i], hash, __ATOMIC_RELAXED);
    }
    error = below(store)->ops->write(below(store), offset, frames, count, done);
    if (error == VM_OK && *done < wanted)
        error = ERR_IO;
    for (size_t i = 0; i < count; i++) {
        bool written = error == VM_OK || (i + 1) * VM_PAGE_SIZE <= *done;
        end_write(&sums->state[first + i], is_known(sums, first + i, frames[i], written));
    }
    return error;
}

/* ---- reading ------------------------------------------------------------------------------------ */

enum verdict { GOOD, BAD, AGAIN };

/* What the store below didn't fill reads as zeros, and is checked as such. Of a page that isn't known, too,
 * only one version may show. */
static enum verdict check_page(struct checksum_store *sums, size_t page, uint32_t before,
                               uint8_t *frame, size_t filled)
{
    if (filled < VM_PAGE_SIZE)
        memset(frame + filled, 0, VM_PAGE_SIZE - filled);
    uint64_t known = __atomic_load_n(&sums->hash[page], __ATOMIC_RELAXED);
    bool is_good = !(before & KNOWN) || hash_of(&sums->store, page, frame) == known;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&sums->state[page], __ATOMIC_RELAXED) != before)
        return AGAIN;
    if (before & KNOWN)
        __atomic_fetch_add(&sums->checked, 1, __ATOMIC_RELAXED);
    return is_good ? GOOD : BAD;
}

static void note_bad(struct checksum_store *sums, size_t page)
{
    off_t offset = (off_t)(page * VM_PAGE_SIZE);
    __atomic_fetch_add(&sums->bad, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&sums->last_bad, offset, __ATOMIC_RELAXED);
    if (sums->options.bad_page)
        sums->options.bad_page(sums->options.argument, offset);
}

/* Reads one page until nobody writes it meanwhile. */
static int read_alone(struct checksum_store *sums, size_t page, addr_t frame)
{
    vm_store *lower = sums->options.below;
    enum verdict verdict;
    do {
        size_t filled = 0;
        uint32_t before = settled(&sums->state[page]);
        int error = lower->ops->read(lower, (off_t)(page * VM_PAGE_SIZE), &frame, 1, &filled);
        if (error != VM_OK)
            return error;
        verdict = check_page(sums, page, before, host_frame_ptr(frame), filled);
    } while (verdict == AGAIN);
    if (verdict == BAD)
        note_bad(sums, page);
    return verdict == BAD ? ERR_IO : VM_OK;
}

/* Of what a read has filled from the run's first byte on, what is in page `i` of it. */
static size_t filled_in(size_t filled, size_t i)
{
    size_t before = i * VM_PAGE_SIZE;
    size_t left = filled > before ? filled - before : 0;
    return left < VM_PAGE_SIZE ? left : VM_PAGE_SIZE;
}

/* All pages with one read of the store below; each that this didn't fill, or that was written meanwhile, or looks
 * bad, by itself once more. *good: pages that are what they should be. */
static int read_run(struct checksum_store *sums, size_t first, const addr_t *frames, size_t count,
                    size_t *good)
{
    vm_store *lower = sums->options.below;
    uint32_t before[RUN];
    size_t filled = 0;
    for (size_t i = 0; i < count; i++)
        before[i] = settled(&sums->state[first + i]);
    int error = lower->ops->read(lower, (off_t)(first * VM_PAGE_SIZE), frames, count, &filled);
    for (*good = 0; error == VM_OK && *good < count; *good += error == VM_OK) {
        size_t page = first + *good, bytes = filled_in(filled, *good);
        addr_t frame = frames[*good];
        if (bytes < bytes_of(&sums->store, page) ||
            check_page(sums, page, before[*good], host_frame_ptr(frame), bytes) != GOOD)
            error = read_alone(sums, page, frame);
    }
    return error;
}

static int checksum_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                         size_t *done)
{
    struct checksum_store *sums = store->data;
    *done = 0;
    int error = clamp(store, offset, &count);
    for (size_t at = 0, good; error == VM_OK && at < count; at += RUN) {
        size_t run = count - at < RUN ? count - at : RUN;
        error = read_run(sums, store_page_of(offset) + at, frames + at, run, &good);
        *done += good * VM_PAGE_SIZE;
    }
    return error;
}

/* ---- the rest ----------------------------------------------------------------------------------- */

/* Who discards knows that nobody writes, so there is nobody to wait for. */
static void checksum_discard(vm_store *store, off_t offset, size_t count)
{
    struct checksum_store *sums = store->data;
    if (clamp(store, offset, &count) != VM_OK)
        return;
    uint32_t *state = &sums->state[store_page_of(offset)];
    for (size_t i = 0; i < count; i++)
        begin_write(&state[i]);
    if (below(store)->ops->discard)
        below(store)->ops->discard(below(store), offset, count);
    for (size_t i = 0; i < count; i++)
        end_write(&state[i], false);
}

static int checksum_commit(vm_store *store, off_t size)
{
    int error = VM_OK;
    if (below(store)->ops->commit)
        error = below(store)->ops->commit(below(store), size);
    if (error == VM_OK)
        store->committed_size = size;
    return error;
}

static bool checksum_has_page(vm_store *store, off_t offset)
{
    return offset < checksum_size(store) && below(store)->ops->has_page &&
           below(store)->ops->has_page(below(store), offset);
}

static void checksum_acquire_ref(vm_store *store)
{
    if (below(store)->ops->acquire_ref)
        below(store)->ops->acquire_ref(below(store));
}

static void checksum_release_ref(vm_store *store)
{
    if (below(store)->ops->release_ref)
        below(store)->ops->release_ref(below(store));
}

static void free_store(struct checksum_store *sums)
{
    store_release(sums->state, sums->options.pages * sizeof *sums->state);
    store_release(sums->hash, sums->options.pages * sizeof *sums->hash);
    free(sums);
}

static void checksum_destroy(vm_store *store)
{
    below(store)->ops->destroy(below(store));
    free_store(store->data);
}

static const struct vm_store_ops checksum_ops = {
    .destroy = checksum_destroy,
    .commit = checksum_commit,
    .has_page = checksum_has_page,
    .read = checksum_read,
    .write = checksum_write,
    .discard = checksum_discard,
    .size = checksum_size,
    .acquire_ref = checksum_acquire_ref,
    .release_ref = checksum_release_ref,
};

int vm_store_create_checksum(const struct vm_store_checksum_options *options, vm_store **store)
{
    if (!options || !store || !options->below || !options->below->ops->read ||
        options->below->ops->fault || options->pages == 0 || options->pages > MOST_PAGES)
        return ERR_INVALID_ARGS;
    struct checksum_store *sums = calloc(1, sizeof *sums);
    if (!sums)
        return ERR_NO_MEMORY;
    sums->store = (vm_store){.magic = VM_STORE_MAGIC, .ops = &checksum_ops, .data = sums};
    sums->options = *options;
    sums->last_bad = -1;
    sums->state = store_reserve(options->pages * sizeof *sums->state);
    sums->hash = store_reserve(options->pages * sizeof *sums->hash);
    if (!sums->state || !sums->hash) {
        free_store(sums);
        return ERR_NO_MEMORY;
    }
    *store = &sums->store;
    return VM_OK;
}

void vm_store_checksum_info(vm_store *store, struct vm_store_checksum_info *info)
{
    const struct checksum_store *sums = store->data;
    info->checked = __atomic_load_n(&sums->checked, __ATOMIC_RELAXED);
    info->bad = __atomic_load_n(&sums->bad, __ATOMIC_RELAXED);
    info->last_bad = __atomic_load_n(&sums->last_bad, __ATOMIC_RELAXED);
}
