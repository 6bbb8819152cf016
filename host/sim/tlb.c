/* SPDX-License-Identifier: MIT */
/* One TLB for each CPU: fully associative and without an end, so it never loses an entry by chance.
 * Entries of the kernel's half belong to all roots and have root 0. Each is a hash table with open
 * addressing; a removed entry leaves a mark that searches go past. */
#include "internal.h"

#include <stdlib.h>

enum slot_state { SLOT_EMPTY, SLOT_USED, SLOT_REMOVED };

struct slot {
    addr_t root, page;
    struct mmu_entry entry;
    enum slot_state state;
};

struct tlb {
    struct slot *slots;
    size_t size, taken; /* `size` is a power of two; `taken` counts marks too */
};

#define FIRST_SIZE 64
#define KERNEL_HALF ((addr_t)1 << 63)

static struct tlb tlbs[VM_MAX_CPUS];
static unsigned tlb_count;
static uint64_t flushes;

static struct slot *new_slots(size_t size)
{
    struct slot *slots = calloc(size, sizeof(*slots));
    if (slots == NULL)
        abort();
    return slots;
}

void tlb_start(unsigned cpus)
{
    tlb_count = cpus;
    flushes = 0;
    for (unsigned i = 0; i < cpus; i++)
        tlbs[i] = (struct tlb){.slots = new_slots(FIRST_SIZE), .size = FIRST_SIZE};
}

void tlb_stop(void)
{
    for (unsigned i = 0; i < tlb_count; i++)
        free(tlbs[i].slots);
    tlb_count = 0;
}

static addr_t entry_root(addr_t root, addr_t address)
{
    return address >= KERNEL_HALF ? 0 : root;
}

static size_t hash(addr_t root, addr_t page)
{
    uint64_t mixed = (page ^ root << 20) * 0x9e3779b97f4a7c15u;
    return (size_t)(mixed >> 20);
}

static struct slot *find_slot(struct tlb *tlb, addr_t root, addr_t page)
{
    size_t i = hash(root, page) & (tlb->size - 1);
    while (tlb->slots[i].state != SLOT_EMPTY) {
        struct slot *slot = &tlb->slots[i];
        if (slot->state == SLOT_USED && slot->root == root && slot->page == page)
            return slot;
        i = (i + 1) & (tlb->size - 1);
    }
    return NULL;
}

static void place(struct tlb *tlb, const struct slot *new)
{
    size_t i = hash(new->root, new->page) & (tlb->size - 1);
    while (tlb->slots[i].state != SLOT_EMPTY)
        i = (i + 1) & (tlb->size - 1);
    tlb->slots[i] = *new;
    tlb->taken++;
}

static size_t count_used(const struct tlb *tlb)
{
    size_t used = 0;
    for (size_t i = 0; i < tlb->size; i++)
        used += tlb->slots[i].state == SLOT_USED;
    return used;
}

static void rebuild(struct tlb *tlb)
{
    struct tlb old = *tlb;
    size_t used = count_used(&old);
    while (tlb->size < used * 4)
        tlb->size *= 2;
    tlb->slots = new_slots(tlb->size);
    tlb->taken = 0;
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].state == SLOT_USED)
            place(tlb, &old.slots[i]);
    free(old.slots);
}

bool tlb_find(unsigned cpu, addr_t root, addr_t address, struct mmu_entry *entry)
{
    addr_t page = address & ~VM_PAGE_MASK;
    struct slot *slot = find_slot(&tlbs[cpu], entry_root(root, address), page);
    if (slot != NULL)
        *entry = slot->entry;
    return slot != NULL;
}

void tlb_remove(unsigned cpu, addr_t root, addr_t address)
{
    addr_t page = address & ~VM_PAGE_MASK;
    struct slot *slot = find_slot(&tlbs[cpu], entry_root(root, address), page);
    if (slot != NULL)
        slot->state = SLOT_REMOVED;
}

void tlb_insert(unsigned cpu, addr_t root, addr_t address, const struct mmu_entry *entry)
{
    struct tlb *tlb = &tlbs[cpu];
    struct slot new = {.root = entry_root(root, address),
                       .page = address & ~VM_PAGE_MASK,
                       .entry = *entry,
                       .state = SLOT_USED};
    tlb_remove(cpu, root, address);
    if ((tlb->taken + 1) * 2 > tlb->size)
        rebuild(tlb);
    place(tlb, &new);
}

static void drop_where(struct tlb *tlb, bool kernel, addr_t root, addr_t first, addr_t last)
{
    for (size_t i = 0; i < tlb->size; i++) {
        struct slot *slot = &tlb->slots[i];
        if (slot->state != SLOT_USED || slot->page < first || slot->page > last)
            continue;
        if (slot->root == root || (kernel && slot->root == 0))
            slot->state = SLOT_REMOVED;
    }
}

void tlb_drop_user(unsigned cpu)
{
    struct tlb *tlb = &tlbs[cpu];
    for (size_t i = 0; i < tlb->size; i++)
        if (tlb->slots[i].state == SLOT_USED && tlb->slots[i].root != 0)
            tlb->slots[i].state = SLOT_REMOVED;
}

static void flush_cpu(unsigned cpu, addr_t root, addr_t start, size_t count)
{
    struct tlb *tlb = &tlbs[cpu];
    if (count == VM_TLB_ALL) {
        drop_where(tlb, root == cpu_kernel_root(), root, 0, UINTPTR_MAX);
    } else if (count <= FIRST_SIZE) {
        for (size_t i = 0; i < count; i++)
            tlb_remove(cpu, root, start + i * VM_PAGE_SIZE);
    } else {
        drop_where(tlb, start >= KERNEL_HALF, root, start, start + (count - 1) * VM_PAGE_SIZE);
    }
}

void host_tlb_flush(addr_t root, uint64_t cpus, addr_t start, size_t count)
{
    if ((start & VM_PAGE_MASK) != 0 && count != VM_TLB_ALL)
        sim_fail("host_tlb_flush: %#lx is not page aligned", (unsigned long)start);
    flushes++;
    for (unsigned i = 0; i < tlb_count; i++)
        if ((cpus >> i & 1) != 0)
            flush_cpu(i, root, start, count);
}

uint64_t sim_tlb_flushes(void)
{
    return flushes;
}
