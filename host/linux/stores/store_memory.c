/* SPDX-License-Identifier: MIT */
/* Pages in a reservation. Each 64th page shares a lock, which is held for one copy. */
#include "store_common.h"
#include "store_lock.h"

#include <stdlib.h>
#include <string.h>

#define LOCKS 64
#define MOST_PAGES (SIZE_MAX / VM_PAGE_SIZE / 4)

struct memory_store {
    vm_store store;
    size_t pages;
    uint8_t *bytes;
    uint8_t *is_there; /* one a page; guarded by its lock, but for `has_page` */
    size_t used;       /* atomic */
    struct store_mutex lock[LOCKS];
};

static bool is_there(const struct memory_store *memory, size_t page)
{
    return __atomic_load_n(&memory->is_there[page], __ATOMIC_RELAXED) != 0;
}

static void set_there(struct memory_store *memory, size_t page, bool there)
{
    if (is_there(memory, page) == there)
        return;
    __atomic_store_n(&memory->is_there[page], (uint8_t)there, __ATOMIC_RELAXED);
    __atomic_fetch_add(&memory->used, there ? 1 : (size_t)-1, __ATOMIC_RELAXED);
}

static void read_page(struct memory_store *memory, size_t page, void *frame)
{
    store_lock(&memory->lock[page % LOCKS]);
    if (is_there(memory, page))
        memcpy(frame, memory->bytes + page * VM_PAGE_SIZE, VM_PAGE_SIZE);
    else
        memset(frame, 0, VM_PAGE_SIZE);
    store_unlock(&memory->lock[page % LOCKS]);
}

static void write_page(struct memory_store *memory, size_t page, const void *frame)
{
    store_lock(&memory->lock[page % LOCKS]);
    memcpy(memory->bytes + page * VM_PAGE_SIZE, frame, VM_PAGE_SIZE);
    set_there(memory, page, true);
    store_unlock(&memory->lock[page % LOCKS]);
}

static int memory_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                       size_t *done)
{
    struct memory_store *memory = store->data;
    *done = 0;
    int error = store_clamp(offset, &count, memory->pages);
    if (error != VM_OK)
        return error;
    for (size_t i = 0; i < count; i++)
        read_page(memory, store_page_of(offset) + i, host_frame_ptr(frames[i]));
    *done = count * VM_PAGE_SIZE;
    return VM_OK;
}

static int memory_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                        size_t *done)
{
    struct memory_store *memory = store->data;
    *done = 0;
    int error = store_clamp(offset, &count, memory->pages);
    if (error != VM_OK)
        return error;
    for (size_t i = 0; i < count; i++)
        write_page(memory, store_page_of(offset) + i, host_frame_ptr(frames[i]));
    *done = count * VM_PAGE_SIZE;
    return VM_OK;
}

static void memory_discard(vm_store *store, off_t offset, size_t count)
{
    struct memory_store *memory = store->data;
    if (store_clamp(offset, &count, memory->pages) != VM_OK)
        return;
    for (size_t page = store_page_of(offset); count > 0; page++, count--) {
        store_lock(&memory->lock[page % LOCKS]);
        if (is_there(memory, page))
            store_give_back(memory->bytes + page * VM_PAGE_SIZE, VM_PAGE_SIZE);
        set_there(memory, page, false);
        store_unlock(&memory->lock[page % LOCKS]);
    }
}

static bool memory_has_page(vm_store *store, off_t offset)
{
    const struct memory_store *memory = store->data;
    size_t count = 1;
    return store_clamp(offset, &count, memory->pages) == VM_OK &&
           is_there(memory, store_page_of(offset));
}

static off_t memory_size(vm_store *store)
{
    const struct memory_store *memory = store->data;
    return (off_t)(memory->pages * VM_PAGE_SIZE);
}

static void memory_destroy(vm_store *store)
{
    struct memory_store *memory = store->data;
    store_release(memory->bytes, memory->pages * VM_PAGE_SIZE);
    store_release(memory->is_there, memory->pages);
    free(memory);
}

static const struct vm_store_ops memory_ops = {
    .destroy = memory_destroy,
    .has_page = memory_has_page,
    .read = memory_read,
    .write = memory_write,
    .discard = memory_discard,
    .size = memory_size,
};

int vm_store_create_memory(size_t pages, vm_store **store)
{
    if (!store || pages == 0 || pages > MOST_PAGES)
        return ERR_INVALID_ARGS;
    struct memory_store *memory = calloc(1, sizeof *memory);
    if (!memory)
        return ERR_NO_MEMORY;
    memory->store = (vm_store){.magic = VM_STORE_MAGIC, .ops = &memory_ops, .data = memory};
    memory->pages = pages;
    memory->bytes = store_reserve(pages * VM_PAGE_SIZE);
    memory->is_there = store_reserve(pages);
    if (!memory->bytes || !memory->is_there) {
        memory_destroy(&memory->store);
        return ERR_NO_MEMORY;
    }
    *store = &memory->store;
    return VM_OK;
}

size_t vm_store_memory_pages(vm_store *store)
{
    const struct memory_store *memory = store->data;
    return __atomic_load_n(&memory->used, __ATOMIC_RELAXED);
}
