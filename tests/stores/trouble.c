/* SPDX-License-Identifier: MIT */
#include "trouble.h"

#include <quire/host.h>

#include <string.h>

static unsigned load(const unsigned *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* Whether this is the one. */
static bool comes(unsigned *countdown, bool for_good)
{
    unsigned now = load(countdown), next;
    do {
        next = now > 1 || (now == 1 && for_good) ? now - (now > 1) : 0;
    } while (!__atomic_compare_exchange_n(countdown, &now, next, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return now == 1;
}

static void count(unsigned *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}

static void wait_here(struct trouble *trouble)
{
    count(&trouble->waiting);
    while (__atomic_load_n(&trouble->blocked, __ATOMIC_SEQ_CST) != 0)
        (void)host_wait(&trouble->blocked, 1, VM_NO_DEADLINE, false);
    __atomic_fetch_sub(&trouble->waiting, 1, __ATOMIC_SEQ_CST);
}

static void hold(struct trouble *trouble)
{
    __atomic_store_n(&trouble->held, 1, __ATOMIC_SEQ_CST);
    count(&trouble->waiting);
    while (__atomic_load_n(&trouble->held, __ATOMIC_SEQ_CST) != 0)
        (void)host_wait(&trouble->held, 1, VM_NO_DEADLINE, false);
    __atomic_fetch_sub(&trouble->waiting, 1, __ATOMIC_SEQ_CST);
}

void trouble_release(struct trouble *trouble)
{
    __atomic_store_n(&trouble->held, 0, __ATOMIC_SEQ_CST);
    host_wake(&trouble->held, UINT32_MAX);
}

static int trouble_read(vm_store *store, off_t offset, const addr_t *frames, size_t pages,
                        size_t *done)
{
    struct trouble *trouble = store->data;
    count(&trouble->reads);
    wait_here(trouble);
    *done = 0;
    if (comes(&trouble->fail_read, trouble->for_good)) {
        count(&trouble->failed);
        return ERR_IO;
    }
    int error = trouble->below->ops->read(trouble->below, offset, frames, pages, done);
    if (error == VM_OK && comes(&trouble->short_read, trouble->for_good)) {
        *done /= 2;
        for (size_t at = *done; at < pages * VM_PAGE_SIZE; at += VM_PAGE_SIZE - at % VM_PAGE_SIZE)
            memset((uint8_t *)host_frame_ptr(frames[at / VM_PAGE_SIZE]) + at % VM_PAGE_SIZE, 0xdb,
                   VM_PAGE_SIZE - at % VM_PAGE_SIZE);
    }
    if (error == VM_OK && comes(&trouble->flip_read, trouble->for_good))
        *(uint8_t *)host_frame_ptr(frames[0]) ^= 4;
    if (comes(&trouble->hold_read, false))
        hold(trouble);
    return error;
}

/* Nothing reads the pages that the core has before they are written: any bytes will do. */
static void spoil(struct trouble *trouble, off_t offset, const addr_t *frames, size_t pages)
{
    size_t done;
    uint8_t saved[VM_PAGE_SIZE];
    for (size_t i = 0; i < pages; i++, offset += (off_t)VM_PAGE_SIZE) {
        void *frame = host_frame_ptr(frames[i]);
        memcpy(saved, frame, VM_PAGE_SIZE);
        memset(frame, 0xdb, VM_PAGE_SIZE);
        (void)trouble->below->ops->write(trouble->below, offset, &frames[i], 1, &done);
        memcpy(frame, saved, VM_PAGE_SIZE);
    }
}

static int trouble_write(vm_store *store, off_t offset, const addr_t *frames, size_t pages,
                         size_t *done)
{
    struct trouble *trouble = store->data;
    count(&trouble->writes);
    wait_here(trouble);
    *done = 0;
    if (comes(&trouble->fail_write, trouble->for_good)) {
        count(&trouble->failed);
        if (trouble->spoil)
            spoil(trouble, offset, frames, pages);
        return ERR_IO;
    }
    int error = trouble->below->ops->write(trouble->below, offset, frames, pages, done);
    if (error == VM_OK && comes(&trouble->short_write, trouble->for_good))
        *done /= 2;
    return error;
}

static void trouble_discard(vm_store *store, off_t offset, size_t pages)
{
    struct trouble *trouble = store->data;
    count(&trouble->discards);
    if (trouble->below->ops->discard)
        trouble->below->ops->discard(trouble->below, offset, pages);
}

static bool trouble_has_page(vm_store *store, off_t offset)
{
    const struct trouble *trouble = store->data;
    return trouble->below->ops->has_page && trouble->below->ops->has_page(trouble->below, offset);
}

static off_t trouble_size(vm_store *store)
{
    const struct trouble *trouble = store->data;
    return trouble->below->ops->size ? trouble->below->ops->size(trouble->below) : INT64_MAX;
}

static void trouble_destroy(vm_store *store)
{
    const struct trouble *trouble = store->data;
    trouble->below->ops->destroy(trouble->below);
}

static const struct vm_store_ops trouble_ops = {
    .destroy = trouble_destroy,
    .has_page = trouble_has_page,
    .read = trouble_read,
    .write = trouble_write,
    .discard = trouble_discard,
    .size = trouble_size,
};

vm_store *trouble_begin(struct trouble *trouble, vm_store *below)
{
    *trouble = (struct trouble){.below = below};
    trouble->store = (vm_store){.magic = VM_STORE_MAGIC, .ops = &trouble_ops, .data = trouble};
    return &trouble->store;
}

void trouble_block(struct trouble *trouble, bool block)
{
    __atomic_store_n(&trouble->blocked, block, __ATOMIC_SEQ_CST);
    if (!block)
        host_wake(&trouble->blocked, UINT32_MAX);
}

unsigned trouble_waiting(const struct trouble *trouble)
{
    return load(&trouble->waiting);
}
