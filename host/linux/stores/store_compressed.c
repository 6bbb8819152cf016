/* SPDX-License-Identifier: MIT */
/* Pages as blobs in a log. Each operation has a place of its own: what a coder needs, and frames to read into. */
#include "store_coder.h"
#include "store_common.h"
#include "store_log.h"

#include <stdlib.h>
#include <string.h>

#define SHRINKS_BY 8 /* of a page, or it is kept as it is */
#define MOST_PAGES ((size_t)1 << 31)
#define DEFAULT_OPERATIONS 4

struct place {
    struct store_coder coder;
    struct log_fetched fetched;
    uint8_t page[VM_PAGE_SIZE], packed[VM_PAGE_SIZE];
};

struct compressed_store {
    vm_store store;
    struct vm_store_compressed_options options;
    struct store_log log;
    struct store_pool pool;
    struct place *place;
    uint8_t *coder_memory;
    size_t frames;      /* that were allocated */
    uint64_t bad_blobs; /* atomic */
};

/* ---- one page ----------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, VM_PAGE_SIZE - 1) == 0;
}

/* The page is copied first: programs may write to a frame that is written out. */
static int write_page(struct compressed_store *compressed, struct place *place, size_t page,
                      const void *frame)
{
    memcpy(place->page, frame, VM_PAGE_SIZE);
    if (is_zero(place->page))
        return log_append(&compressed->log, page, NULL, 0);
    size_t length = store_coder_pack(&place->coder, place->page, place->packed,
                                     VM_PAGE_SIZE - VM_PAGE_SIZE / SHRINKS_BY);
    return length > 0 ? log_append(&compressed->log, page, place->packed, length)
                      : log_append(&compressed->log, page, place->page, VM_PAGE_SIZE);
}

static int unpack_page(struct compressed_store *compressed, struct place *place, size_t i,
                       void *frame)
{
    const struct log_blob *blob = &place->fetched.blob[i];
    if (blob->segment < LOG_FIRST) {
        memset(frame, 0, VM_PAGE_SIZE);
        return VM_OK;
    }
    const void *bytes = log_bytes(&place->fetched, i);
    if (blob->length == VM_PAGE_SIZE) {
        memcpy(frame, bytes, VM_PAGE_SIZE);
        return VM_OK;
    }
    if (store_coder_unpack(&place->coder, bytes, blob->length, frame))
        return VM_OK;
    __atomic_fetch_add(&compressed->bad_blobs, 1, __ATOMIC_RELAXED);
    return ERR_IO;
}

/* ---- operations --------------------------------------------------------------------------------- */

static int compressed_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                           size_t *done)
{
    struct compressed_store *compressed = store->data;
    *done = 0;
    int error = store_clamp(offset, &count, compressed->options.pages);
    if (error != VM_OK)
        return error;
    uint32_t number = store_pool_take(&compressed->pool);
    struct place *place = &compressed->place[number];
    for (size_t i = 0; error == VM_OK && i < count; i += place->fetched.count) {
        error = log_fetch(&compressed->log, store_page_of(offset) + i, count - i, &place->fetched);
        for (size_t at = 0; error == VM_OK && at < place->fetched.count; at++) {
            error = unpack_page(compressed, place, at, host_frame_ptr(frames[i + at]));
            *done += error == VM_OK ? VM_PAGE_SIZE : 0;
        }
    }
    store_pool_put(&compressed->pool, number);
    return error;
}

static int compressed_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                            size_t *done)
{
    struct compressed_store *compressed = store->data;
    *done = 0;
    int error = store_clamp(offset, &count, compressed->options.pages);
    if (error != VM_OK)
        return error;
    uint32_t number = store_pool_take(&compressed->pool);
    for (size_t i = 0; error == VM_OK && i < count; i++) {
        error = write_page(compressed, &compressed->place[number], store_page_of(offset) + i,
                           host_frame_ptr(frames[i]));
        *done += error == VM_OK ? VM_PAGE_SIZE : 0;
    }
    store_pool_put(&compressed->pool, number);
    return error;
}

static void compressed_discard(vm_store *store, off_t offset, size_t count)
{
    struct compressed_store *compressed = store->data;
    if (store_clamp(offset, &count, compressed->options.pages) != VM_OK)
        return;
    for (size_t i = 0; i < count; i++)
        log_forget(&compressed->log, store_page_of(offset) + i);
}

static bool compressed_has_page(vm_store *store, off_t offset)
{
    struct compressed_store *compressed = store->data;
    size_t count = 1;
    return store_clamp(offset, &count, compressed->options.pages) == VM_OK &&
           log_has(&compressed->log, store_page_of(offset));
}

static off_t compressed_size(vm_store *store)
{
    const struct compressed_store *compressed = store->data;
    return (off_t)(compressed->options.pages * VM_PAGE_SIZE);
}

static int compressed_commit(vm_store *store, off_t size)
{
    const struct compressed_store *compressed = store->data;
    if (size > (off_t)(log_keeps(&compressed->log) * VM_PAGE_SIZE))
        return ERR_VM_WOULD_OVERCOMMIT;
    store->committed_size = size;
    return VM_OK;
}

/* ---- end ---------------------------------------------------------------------------------------- */

/* The frame with this number: the log's two segments' first, then each place's. */
static addr_t *frame_at(struct compressed_store *compressed, size_t number)
{
    size_t each = compressed->options.segment_pages;
    struct store_log *log = &compressed->log;
    if (number < each)
        return &log->open_frame[number];
    if (number < 2 * each)
        return &log->clean_frame[number - each];
    return &compressed->place[number / each - 2].fetched.frame[number % each];
}

static size_t coder_memory(const struct vm_store_compressed_options *o)
{
    return o->operations * store_coder_memory(o->coder, o->level);
}

static void free_store(struct compressed_store *compressed)
{
    while (compressed->frames > 0)
        compressed->options.free_frames(*frame_at(compressed, --compressed->frames), 1);
    log_end(&compressed->log);
    store_release(compressed->place, compressed->options.operations * sizeof(struct place));
    store_release(compressed->coder_memory, coder_memory(&compressed->options));
    free(compressed);
}

static void compressed_destroy(vm_store *store)
{
    struct compressed_store *compressed = store->data;
    vm_store *below = compressed->options.below;
    free_store(compressed);
    if (below)
        below->ops->destroy(below);
}

static const struct vm_store_ops compressed_ops = {
    .destroy = compressed_destroy,
    .commit = compressed_commit,
    .has_page = compressed_has_page,
    .read = compressed_read,
    .write = compressed_write,
    .discard = compressed_discard,
    .size = compressed_size,
};

/* ---- beginning ---------------------------------------------------------------------------------- */

size_t vm_store_compressed_space(size_t pages, size_t segment_pages)
{
    size_t each = segment_pages != 0 ? segment_pages : LOG_MOST_PAGES;
    if (each < 2 || each > LOG_MOST_PAGES || pages == 0 || pages > MOST_PAGES)
        return 0;
    size_t segments = (pages + each - 2) / (each - 1) + pages / (8 * each) + LOG_SPARE;
    return (segments < LOG_LEAST_SEGMENTS ? LOG_LEAST_SEGMENTS : segments) * each * VM_PAGE_SIZE;
}

static void set_defaults(struct vm_store_compressed_options *o)
{
    if (o->segment_pages == 0)
        o->segment_pages = LOG_MOST_PAGES;
    if (o->operations == 0)
        o->operations = DEFAULT_OPERATIONS;
    if (o->space == 0)
        o->space = vm_store_compressed_space(o->pages, o->segment_pages);
}

static bool can_be_below(const vm_store *below)
{
    return below->ops->read && below->ops->write && !below->ops->fault;
}

static bool is_valid(struct vm_store_compressed_options *o)
{
    size_t segment = o->segment_pages * VM_PAGE_SIZE;
    return vm_store_compressed_space(o->pages, o->segment_pages) > 0 &&
           o->operations <= STORE_POOL_MOST && o->space / segment >= LOG_LEAST_SEGMENTS &&
           o->space / segment < MOST_PAGES && store_coder_is_valid(o->coder, &o->level) &&
           (!o->below || (can_be_below(o->below) && o->allocate_frames && o->free_frames));
}

static int allocate_frames(struct compressed_store *compressed)
{
    const struct vm_store_compressed_options *o = &compressed->options;
    size_t wanted = o->below ? (2 + o->operations) * o->segment_pages : 0;
    int error = VM_OK;
    while (error == VM_OK && compressed->frames < wanted) {
        error = o->allocate_frames(1, true, frame_at(compressed, compressed->frames));
        compressed->frames += error == VM_OK;
    }
    return error;
}

static bool begin_places(struct compressed_store *compressed)
{
    const struct vm_store_compressed_options *o = &compressed->options;
    size_t each = coder_memory(o) / o->operations;
    bool ok = true;
    compressed->pool.count = (uint32_t)o->operations;
    for (size_t i = 0; i < o->operations; i++)
        ok &= store_coder_begin(&compressed->place[i].coder, o->coder, o->level,
                                compressed->coder_memory + i * each);
    return ok;
}

static int begin(struct compressed_store *compressed)
{
    const struct vm_store_compressed_options *o = &compressed->options;
    compressed->place = store_reserve(o->operations * sizeof(struct place));
    compressed->coder_memory = store_reserve(coder_memory(o));
    if (!compressed->place || !compressed->coder_memory || !begin_places(compressed))
        return ERR_NO_MEMORY;
    compressed->log.below = o->below;
    int error = log_begin(&compressed->log, o->pages,
                          (uint32_t)(o->space / VM_PAGE_SIZE / o->segment_pages),
                          (uint32_t)o->segment_pages, o->below == NULL);
    return error == VM_OK ? allocate_frames(compressed) : error;
}

int vm_store_create_compressed(const struct vm_store_compressed_options *options, vm_store **store)
{
    if (!options || !store)
        return ERR_INVALID_ARGS;
    struct vm_store_compressed_options o = *options;
    set_defaults(&o);
    if (!is_valid(&o))
        return ERR_INVALID_ARGS;
    struct compressed_store *compressed = calloc(1, sizeof *compressed);
    if (!compressed)
        return ERR_NO_MEMORY;
    compressed->store = (vm_store){.magic = VM_STORE_MAGIC, .ops = &compressed_ops};
    compressed->store.data = compressed;
    compressed->options = o;
    int error = begin(compressed);
    if (error == VM_OK)
        *store = &compressed->store;
    else
        free_store(compressed);
    return error;
}

void vm_store_compressed_info(vm_store *store, struct vm_store_compressed_info *info)
{
    struct compressed_store *compressed = store->data;
    log_figures(&compressed->log, info);
    info->bad_blobs = __atomic_load_n(&compressed->bad_blobs, __ATOMIC_RELAXED);
}
