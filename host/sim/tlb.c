/* SPDX-License-Identifier: MIT */
/* One TLB for each CPU: fully associative and without an end, so it never loses an entry by chance;
 * a hostile one may, and may load what nobody asked for. A flush reaches one CPU after the other, with
 * a step before each: until then a CPU goes on using what it has.
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
static bool flushes_lost;
static uint64_t hostility; /* the state of its random numbers; 0: there is none */

/* Addresses that programs have used lately. */
#define RECENT 16
#define HOSTILE_ONE_IN 8
static addr_t recent[RECENT];
static unsigned recent_next;

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
    hostility = 0;
    flushes_lost = false;
    recent_next = 0;
    walk_cache_start(cpus);
    for (unsigned i = 0; i < cpus; i++)
        tlbs[i] = (struct tlb){.slots = new_slots(FIRST_SIZE), .size = FIRST_SIZE};
}

void tlb_stop(void)
{
    for (unsigned i = 0; i < tlb_count; i++)
        free(tlbs[i].slots);
    tlb_count = 0;
}

/* ---- hostility ---- */

void sim_set_hostility(uint64_t seed)
{
    hostility = seed;
}

bool tlb_is_hostile(void)
{
    return hostility != SIM_TLB_PLAIN;
}

void tlb_note_use(addr_t address)
{
    recent[recent_next++ % RECENT] = address;
}

static uint64_t next_random(void)
{
    hostility ^= hostility << 13;
    hostility ^= hostility >> 7;
    hostility ^= hostility << 17;
    return hostility >> 8;
}

/* As a CPU that guesses what will be needed: only what is permitted to read, and never dirty. */
static void load_unasked(unsigned cpu, addr_t address)
{
    struct mmu_entry entry;
    addr_t root = cpu_root(cpu);
    if (root != 0 && !tlb_find(cpu, root, address, &entry) &&
        mmu_walk_from(cpu, root, address, VM_ACCESS_READ, &entry))
        tlb_insert(cpu, root, address, &entry);
}

void tlb_step(void)
{
    if (hostility <= SIM_TLB_REMEMBER || recent_next == 0 || next_random() % HOSTILE_ONE_IN != 0)
        return;
    unsigned cpu = (unsigned)(next_random() % tlb_count);
    addr_t address = recent[next_random() % (recent_next < RECENT ? recent_next : RECENT)];
    if (next_random() % 2 == 0)
        load_unasked(cpu, address);
    else
        tlb_remove(cpu, cpu_root(cpu), address);
}

/* ---- entries ---- */

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
    walk_cache_drop_user(cpu);
}

static void flush_cpu(unsigned cpu, addr_t root, addr_t start, size_t count)
{
    struct tlb *tlb = &tlbs[cpu];
    bool all = count == VM_TLB_ALL;
    walk_cache_flush(cpu, root, all ? 0 : start,
                     all ? UINTPTR_MAX : start + (count - 1) * VM_PAGE_SIZE);
    if (all) {
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
    if (flushes_lost)
        return;
    for (unsigned i = 0; i < tlb_count; i++) {
        if ((cpus >> i & 1) == 0)
            continue;
        fiber_step();
        flush_cpu(i, root, start, count);
    }
}

void sim_lose_flushes(void)
{
    flushes_lost = true;
}

uint64_t sim_tlb_flushes(void)
{
    return flushes;
}
