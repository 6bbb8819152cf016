/* SPDX-License-Identifier: MIT */
/* Slots are taken in runs, from where the last search ended, so that what goes together lies together.
 * Areas are filled one after the other. */
#include "swap.h"

#include <quire/host.h>
#include <quire/vm.h>

#include "meta.h"
#include "print.h"
#include "system.h"

#define SWAP (&vm_system.swap)
#define WORD_BITS 64
/* Of all frames, what is kept for stores that need one to write. */
#define PAGEOUT_RESERVE 512
/* An area that fails so many writes in a row is left alone for so long: else whoever needs a frame would try it
 * with each page that there is. */
#define MOST_FAILURES 32
#define REST ((uint64_t)1000000000)

static size_t map_bytes(size_t slots)
{
    return (slots + WORD_BITS - 1) / WORD_BITS * sizeof(uint64_t);
}

static struct vm_swap_area *area_of(uint32_t slot)
{
    return &SWAP->area[slot >> VM_SWAP_SLOT_BITS];
}

static size_t index_of(uint32_t slot)
{
    return (slot & VM_SWAP_MAX_SLOTS) - 1;
}

static bool is_used(const struct vm_swap_area *area, size_t index)
{
    return area->used[index / WORD_BITS] >> (index % WORD_BITS) & 1;
}

/* ---- slots -------------------------------------------------------------------------------------- */

/* => swap lock. The first free slot at or behind `from`, below `end`; `end`: there is none. */
static size_t find_free(const struct vm_swap_area *area, size_t from, size_t end)
{
    while (from < end) {
        uint64_t word = ~area->used[from / WORD_BITS] >> (from % WORD_BITS);
        if (word) {
            from += (size_t)__builtin_ctzll(word);
            return from < end ? from : end;
        }
        from = (from / WORD_BITS + 1) * WORD_BITS;
    }
    return end;
}

/* => swap lock */
static uint32_t take_run(unsigned number, size_t wanted, size_t *got)
{
    struct vm_swap_area *area = &SWAP->area[number];
    size_t first = find_free(area, area->next, area->slots);
    if (first == area->slots)
        first = find_free(area, 0, area->slots);
    size_t count = 0;
    while (count < wanted && first + count < area->slots && !is_used(area, first + count)) {
        size_t at = first + count++;
        area->used[at / WORD_BITS] |= (uint64_t)1 << (at % WORD_BITS);
    }
    area->next = first + count;
    area->free -= count;
    SWAP->free -= count;
    *got = count;
    return (uint32_t)(number << VM_SWAP_SLOT_BITS) + (uint32_t)first + 1;
}

static bool has_room(const struct vm_swap_area *area)
{
    return area->free > 0 && area->rests_until == 0;
}

/* => swap lock */
static void note_free(void)
{
    bool room = false;
    for (unsigned i = 0; i < SWAP->areas; i++)
        room |= has_room(&SWAP->area[i]);
    vm_atomic_store(&vm_system.pages.can_swap, room, __ATOMIC_RELAXED);
}

/* ---- areas that fail ------------------------------------------------------------------------------ */

/* => swap lock */
static void rest(struct vm_swap_area *area, uint64_t until)
{
    uint32_t change = (uint32_t)(until != 0) - (uint32_t)(area->rests_until != 0);
    vm_atomic_fetch_add(&SWAP->resting, change, __ATOMIC_RELAXED);
    area->rests_until = until;
    if (until == 0)
        vm_atomic_store(&area->failures, 0, __ATOMIC_RELAXED);
    note_free();
}

/* A store that is full says ERR_NO_MEMORY: it fails, too, until a slot of it is free again. */
static void note_written(struct vm_swap_area *area, int error)
{
    if (error == VM_OK && vm_atomic_load(&area->failures, __ATOMIC_RELAXED) == 0)
        return;
    vm_mutex_lock(&SWAP->lock, VM_RANK_SWAP);
    area->is_full = error == ERR_NO_MEMORY;
    if (error == VM_OK)
        rest(area, 0);
    else
        vm_atomic_store(&area->failures, area->failures + 1, __ATOMIC_RELAXED);
    if (error != VM_OK && area->failures >= MOST_FAILURES)
        rest(area, host_time_ns() + REST);
    vm_mutex_unlock(&SWAP->lock);
}

static void end_rests(void)
{
    uint64_t now = host_time_ns();
    vm_mutex_lock(&SWAP->lock, VM_RANK_SWAP);
    for (unsigned i = 0; i < SWAP->areas; i++) {
        struct vm_swap_area *area = &SWAP->area[i];
        if (area->rests_until != 0 && area->rests_until <= now)
            rest(area, 0);
    }
    vm_mutex_unlock(&SWAP->lock);
}

void swap_end_rests(void)
{
    if (__builtin_expect(vm_atomic_load(&SWAP->resting, __ATOMIC_RELAXED) != 0, 0))
        end_rests();
}

/* ---- taking and giving back ----------------------------------------------------------------------- */

uint32_t swap_allocate(size_t wanted, size_t *got)
{
    uint32_t slot = 0;
    if (VM_INJECT(VM_INJECT_SLOT))
        return 0;
    swap_end_rests();
    vm_mutex_lock(&SWAP->lock, VM_RANK_SWAP);
    for (unsigned i = 0; i < SWAP->areas && slot == 0; i++)
        if (has_room(&SWAP->area[i]))
            slot = take_run(i, wanted, got);
    note_free();
    vm_mutex_unlock(&SWAP->lock);
    return slot;
}

static void free_slot(uint32_t slot, bool was_written)
{
    struct vm_swap_area *area = area_of(slot);
    size_t index = index_of(slot);
    if (area->store->ops->discard)
        area->store->ops->discard(area->store, (off_t)(index * VM_PAGE_SIZE), 1);
    vm_mutex_lock(&SWAP->lock, VM_RANK_SWAP);
    VM_ASSERT(index < area->slots && is_used(area, index));
    area->used[index / WORD_BITS] &= ~((uint64_t)1 << (index % WORD_BITS));
    area->free++;
    SWAP->free++;
    if (was_written && area->is_full)
        rest(area, 0);
    note_free();
    vm_mutex_unlock(&SWAP->lock);
}

void swap_free(uint32_t slot)
{
    free_slot(slot, true);
}

void swap_give_back(uint32_t slot)
{
    free_slot(slot, false);
}

bool swap_is_short(void)
{
    return vm_atomic_load(&SWAP->free, __ATOMIC_RELAXED) < SWAP->slots / 2;
}

/* ---- reading and writing ------------------------------------------------------------------------ */

int swap_write(uint32_t slot, const addr_t *frames, size_t count)
{
    struct vm_swap_area *area = area_of(slot);
    size_t done = 0;
    vm_assert_no_locks();
    int error = VM_INJECT(VM_INJECT_STORE_WRITE)
                    ? ERR_IO
                    : area->store->ops->write(area->store, (off_t)(index_of(slot) * VM_PAGE_SIZE),
                                              frames, count, &done);
    if (error == VM_OK && done != count * VM_PAGE_SIZE)
        error = ERR_IO;
    vm_atomic_count(error == VM_OK ? &area->written : &area->errors, error == VM_OK ? count : 1);
    note_written(area, error);
    return error;
}

int swap_read(uint32_t slot, const addr_t *frames, size_t count)
{
    struct vm_swap_area *area = area_of(slot);
    size_t done = 0;
    vm_assert_no_locks();
    int error = area->store->ops->read(area->store, (off_t)(index_of(slot) * VM_PAGE_SIZE), frames,
                                       count, &done);
    if (error == VM_OK && done != count * VM_PAGE_SIZE)
        error = ERR_IO;
    vm_atomic_count(error == VM_OK ? &area->read : &area->errors, error == VM_OK ? count : 1);
    return error;
}

/* ---- areas -------------------------------------------------------------------------------------- */

int vm_swap_add(vm_store *store, size_t slots, const char *name)
{
    if (!store || !store->ops->read || !store->ops->write || slots == 0 || !name ||
        slots > VM_SWAP_MAX_SLOTS)
        return ERR_INVALID_ARGS;
    uint64_t *used = meta_alloc(map_bytes(slots));
    if (!used)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < map_bytes(slots) / sizeof *used; i++)
        used[i] = 0;
    vm_mutex_lock(&SWAP->lock, VM_RANK_SWAP);
    bool fits = SWAP->areas < VM_SWAP_AREAS;
    if (fits) {
        SWAP->area[SWAP->areas++] = (struct vm_swap_area){
            .store = store, .name = name, .used = used, .slots = slots, .free = slots};
        SWAP->slots += slots;
        __atomic_store_n(&vm_system.pages.reserve.system, vm_system.pages.total / PAGEOUT_RESERVE,
                         __ATOMIC_RELAXED);
        SWAP->free += slots;
        note_free();
    }
    vm_mutex_unlock(&SWAP->lock);
    if (!fits) {
        vm_meta_free(used, map_bytes(slots));
        return ERR_UNSUPPORTED;
    }
    vm_increase_max_commit(slots * VM_PAGE_SIZE);
    return VM_OK;
}

int vm_get_swap_info(unsigned index, vm_swap_info *info)
{
    if (!info)
        return ERR_INVALID_ARGS;
    if (index >= SWAP->areas)
        return ERR_NOT_FOUND;
    const struct vm_swap_area *area = &SWAP->area[index];
    *info = (vm_swap_info){.slots = area->slots,
                           .used_slots = area->slots - area->free,
                           .pages_written = area->written,
                           .pages_read = area->read,
                           .errors = area->errors};
    for (size_t i = 0; i < VM_NAME_LENGTH - 1 && area->name[i]; i++)
        info->name[i] = area->name[i];
    return VM_OK;
}

size_t swap_shutdown(void)
{
    size_t used = SWAP->slots - SWAP->free;
    for (unsigned i = 0; i < SWAP->areas; i++) {
        struct vm_swap_area *area = &SWAP->area[i];
        area->store->ops->destroy(area->store);
        vm_meta_free(area->used, map_bytes(area->slots));
    }
    return used;
}
