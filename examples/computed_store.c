/* SPDX-License-Identifier: MIT */
/* A store of one's own: a table of squares that is nowhere, each page made when it is read. With a checksum store on
 * it, as anything that reads pages could stand on it. A kernel, or a process that pages itself, would map it; here
 * the store is asked directly, so the three functions of host.h that the library needs are in this file.
 *
 *   cc computed_store.c $(pkg-config --cflags --libs quire_stores) -o squares && ./squares */
#include <quire/host.h>
#include <quire/stores.h>

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

#define NUMBERS ((uint64_t)1 << 40)
#define EACH (VM_PAGE_SIZE / sizeof(uint64_t)) /* on a page */

static void squares_destroy(vm_store *store)
{
    (void)store; /* it is no memory's */
}

static off_t squares_size(vm_store *store)
{
    (void)store;
    return (off_t)(NUMBERS * sizeof(uint64_t));
}

static bool squares_has_page(vm_store *store, off_t offset)
{
    return offset < squares_size(store);
}

static int squares_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                        size_t *done)
{
    *done = 0;
    if (offset >= squares_size(store))
        return ERR_VM_PF_PAST_END;
    uint64_t number = (uint64_t)offset / sizeof(uint64_t);
    for (size_t page = 0; page < count; page++) {
        uint64_t *square = host_frame_ptr(frames[page]); /* in a row within this frame only */
        for (size_t i = 0; i < EACH; i++, number++)
            square[i] = number * number;
    }
    *done = count * VM_PAGE_SIZE;
    return VM_OK;
}

static const struct vm_store_ops squares_ops = {.destroy = squares_destroy,
                                                .has_page = squares_has_page,
                                                .read = squares_read,
                                                .size = squares_size};
static vm_store squares = {.magic = VM_STORE_MAGIC, .ops = &squares_ops};

/* ---- a host of nothing: a frame is where it is, and one thread never waits ---- */

void *host_frame_ptr(addr_t physical)
{
    return (void *)physical;
}

int host_wait(uint32_t *address, uint32_t expected, uint64_t deadline, bool killable)
{
    (void)address, (void)expected, (void)deadline, (void)killable;
    return sched_yield() == 0 ? VM_OK : ERR_VM_GENERAL;
}

void host_wake(uint32_t *address, uint32_t count)
{
    (void)address, (void)count;
}

int main(void)
{
    static _Alignas(4096) uint64_t page[EACH];
    const uint64_t wanted = 1000003;
    addr_t frame = (addr_t)page;
    size_t done;
    vm_store *checked;
    struct vm_store_checksum_options options = {.below = &squares, .pages = NUMBERS / EACH};
    int error = vm_store_create_checksum(&options, &checked);
    if (error != VM_OK)
        return 1;
    off_t offset = (off_t)(wanted / EACH * VM_PAGE_SIZE);
    error = checked->ops->read(checked, offset, &frame, 1, &done);
    printf("page %jd of %jd: %zu bytes; the square of %" PRIu64 " is %" PRIu64 "\n",
           (intmax_t)offset / (intmax_t)VM_PAGE_SIZE, (intmax_t)(NUMBERS / EACH), done, wanted,
           page[wanted % EACH]);
    bool is_right = error == VM_OK && page[wanted % EACH] == wanted * wanted;
    is_right &= checked->ops->write(checked, offset, &frame, 1, &done) == ERR_UNSUPPORTED;
    is_right &=
        checked->ops->read(checked, squares_size(&squares), &frame, 1, &done) == ERR_VM_PF_PAST_END;
    checked->ops->destroy(checked);
    return is_right ? 0 : 1;
}
