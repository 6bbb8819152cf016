/* SPDX-License-Identifier: MIT */
/* Swap devices: slots in the process's memory. A slot that is read before it was written, after it was free or
 * past the end ends the run: the core would have shown what nobody put there. */
#include "internal.h"
#include <quire/store.h>

#include <stdlib.h>
#include <string.h>

struct sim_swap {
    vm_store store;
    size_t slots;
    uint8_t *bytes;
    bool *written;
    unsigned reads, writes;
    struct request_plan fail_reads, fail_writes;
    uint32_t blocked;
    unsigned waiting;
    struct sim_swap *next;
};

static struct sim_swap *swaps;

static size_t first_slot(const struct sim_swap *swap, off_t offset, size_t count)
{
    size_t first = (size_t)offset / VM_PAGE_SIZE;
    if (offset < 0 || (size_t)offset % VM_PAGE_SIZE != 0 || first + count > swap->slots)
        sim_fail("swap: %zu slots at offset %lld of %zu slots", count, (long long)offset,
                 swap->slots);
    return first;
}

static int swap_read_slots(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                           size_t *done)
{
    struct sim_swap *swap = store->data;
    size_t first = first_slot(swap, offset, count);
    *done = 0;
    swap->reads++;
    request_wait(&swap->blocked, &swap->waiting);
    int error = request_failure(&swap->fail_reads);
    if (error != VM_OK)
        return error;
    for (size_t i = 0; i < count; i++) {
        fiber_step();
        if (!swap->written[first + i])
            sim_fail("swap: slot %zu is read, but was never written", first + i);
        memcpy(host_frame_ptr(frames[i]), swap->bytes + (first + i) * VM_PAGE_SIZE, VM_PAGE_SIZE);
        *done += VM_PAGE_SIZE;
    }
    return VM_OK;
}

/* A failed write has destroyed what was there. */
static int swap_write_slots(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                            size_t *done)
{
    struct sim_swap *swap = store->data;
    size_t first = first_slot(swap, offset, count);
    *done = 0;
    swap->writes++;
    request_wait(&swap->blocked, &swap->waiting);
    int error = request_failure(&swap->fail_writes);
    for (size_t i = 0; i < count; i++) {
        request_page_begins();
        memcpy(swap->bytes + (first + i) * VM_PAGE_SIZE, host_frame_ptr(frames[i]), VM_PAGE_SIZE);
        swap->written[first + i] = error == VM_OK;
        *done += VM_PAGE_SIZE;
        request_page_written();
    }
    return error;
}

static void swap_discard(vm_store *store, off_t offset, size_t count)
{
    struct sim_swap *swap = store->data;
    memset(swap->written + first_slot(swap, offset, count), 0, count);
}

static void swap_destroy(vm_store *store)
{
    struct sim_swap *swap = store->data, **link = &swaps;
    while (*link != swap)
        link = &(*link)->next;
    *link = swap->next;
    free(swap->bytes);
    free(swap->written);
    free(swap);
}

static const struct vm_store_ops ops = {
    .destroy = swap_destroy,
    .read = swap_read_slots,
    .write = swap_write_slots,
    .discard = swap_discard,
};

sim_swap *sim_swap_create(size_t slots)
{
    struct sim_swap *swap = calloc(1, sizeof(*swap));
    if (swap == NULL)
        abort();
    *swap = (struct sim_swap){.store = {.magic = VM_STORE_MAGIC, .ops = &ops, .data = swap},
                              .slots = slots,
                              .bytes = malloc(slots * VM_PAGE_SIZE),
                              .written = calloc(slots, sizeof(bool))};
    if (swap->bytes == NULL || swap->written == NULL)
        abort();
    swap->next = swaps;
    swaps = swap;
    return swap;
}

void swap_stop(void)
{
    while (swaps != NULL)
        swap_destroy(&swaps->store);
}

vm_store *sim_swap_store(sim_swap *swap)
{
    return &swap->store;
}

void sim_swap_fail_reads(sim_swap *swap, unsigned n, unsigned times)
{
    swap->fail_reads = (struct request_plan){n, times, ERR_IO};
}

void sim_swap_fail_writes(sim_swap *swap, unsigned n, unsigned times)
{
    swap->fail_writes = (struct request_plan){n, times, ERR_IO};
}

void sim_swap_block(sim_swap *swap, bool block)
{
    request_block(&swap->blocked, block);
}

unsigned sim_swap_blocked(const sim_swap *swap)
{
    return swap->waiting;
}

unsigned sim_swap_reads(const sim_swap *swap)
{
    return swap->reads;
}

unsigned sim_swap_writes(const sim_swap *swap)
{
    return swap->writes;
}
