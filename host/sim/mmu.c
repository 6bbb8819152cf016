/* SPDX-License-Identifier: MIT */
/* A software MMU for the x86-64 format, written from the processor manuals and from nothing of the
 * core's, so that the two check each other. Four levels, 48-bit addresses, write protection holds
 * for the kernel as well (CR0.WP), no execution of programs' pages by the kernel (SMEP). */
#include "internal.h"

#define PTE_PRESENT ((uint64_t)1 << 0)
#define PTE_WRITABLE ((uint64_t)1 << 1)
#define PTE_USER ((uint64_t)1 << 2)
#define PTE_ACCESSED ((uint64_t)1 << 5)
#define PTE_DIRTY ((uint64_t)1 << 6)
#define PTE_LARGE ((uint64_t)1 << 7)
#define PTE_NO_EXECUTE ((uint64_t)1 << 63)
#define PTE_ADDRESS ((uint64_t)0x000ffffffffff000)
#define LEVELS 4
#define INDEX_BITS 9
#define LARGEST_LEAF_LEVEL 3

struct walk {
    uint64_t *entries[LEVELS]; /* from the root down to the leaf */
    unsigned depth;
};

bool mmu_is_canonical(addr_t address)
{
    return (addr_t)((int64_t)(address << 16) >> 16) == address;
}

bool mmu_permits(const struct mmu_entry *entry, unsigned access)
{
    if ((access & VM_ACCESS_USER) != 0 && !entry->user)
        return false;
    if ((access & VM_ACCESS_WRITE) != 0 && !entry->writable)
        return false;
    if ((access & VM_ACCESS_EXECUTE) == 0)
        return true;
    return entry->executable && entry->user == ((access & VM_ACCESS_USER) != 0);
}

static uint64_t *table_entry(addr_t table, addr_t address, unsigned level)
{
    if (!memory_is_ram(table))
        sim_fail("mmu: a page table at %#lx, where no memory is", (unsigned long)table);
    uint64_t *entries = (uint64_t *)(void *)memory_at(table);
    return &entries[address >> (VM_PAGE_SHIFT + INDEX_BITS * (level - 1)) & 0x1ff];
}

/* An entry of level n maps 2^(12 + 9(n-1)) bytes; the frame is the 4 KiB piece of it. */
static addr_t leaf_frame(uint64_t leaf, addr_t address, unsigned level)
{
    addr_t span = VM_PAGE_SIZE << (INDEX_BITS * (level - 1));
    addr_t base = leaf & PTE_ADDRESS & ~(span - 1);
    return base | (address & (span - 1) & ~VM_PAGE_MASK);
}

static void add_entry(struct mmu_entry *entry, uint64_t value)
{
    entry->writable = entry->writable && (value & PTE_WRITABLE) != 0;
    entry->user = entry->user && (value & PTE_USER) != 0;
    entry->executable = entry->executable && (value & PTE_NO_EXECUTE) == 0;
}

static const struct walk_start root_start = {0, LEVELS, true, true, true};

/* `cpu`: who remembers the tables on the way, or NO_CPU. */
#define NO_CPU UINT32_MAX
static bool descend_from(struct walk_start from, unsigned cpu, addr_t root, addr_t address,
                         struct walk *walk, struct mmu_entry *entry)
{
    addr_t table = from.table;
    walk->depth = 0;
    *entry = (struct mmu_entry){
        .writable = from.writable, .user = from.user, .executable = from.executable};
    for (unsigned level = from.level; level >= 1; level--) {
        struct walk_start here = {table, level, entry->writable, entry->user, entry->executable};
        if (cpu != NO_CPU && level < LEVELS)
            walk_cache_insert(cpu, root, address, &here);
        uint64_t *at = table_entry(table, address, level);
        if ((*at & PTE_PRESENT) == 0)
            return false;
        walk->entries[walk->depth++] = at;
        add_entry(entry, *at);
        if (level == 1 || (level <= LARGEST_LEAF_LEVEL && (*at & PTE_LARGE) != 0)) {
            entry->frame = leaf_frame(*at, address, level);
            entry->accessed = (*at & PTE_ACCESSED) != 0;
            entry->dirty = (*at & PTE_DIRTY) != 0;
            return true;
        }
        table = *at & PTE_ADDRESS;
    }
    return false;
}

static bool descend(addr_t root, addr_t address, struct walk *walk, struct mmu_entry *entry)
{
    struct walk_start from = root_start;
    from.table = root;
    return descend_from(from, NO_CPU, root, address, walk, entry);
}

bool mmu_inspect(addr_t root, addr_t address, struct mmu_entry *entry)
{
    struct walk walk;
    return mmu_is_canonical(address) && descend(root, address, &walk, entry);
}

/* An access that is permitted sets accessed and dirty bits. */
static bool use(const struct walk *walk, unsigned access, struct mmu_entry *entry)
{
    if (!mmu_permits(entry, access))
        return false;
    for (unsigned i = 0; i < walk->depth; i++)
        *walk->entries[i] |= PTE_ACCESSED;
    entry->accessed = true;
    if ((access & VM_ACCESS_WRITE) != 0) {
        *walk->entries[walk->depth - 1] |= PTE_DIRTY;
        entry->dirty = true;
    }
    return true;
}

bool mmu_walk(addr_t root, addr_t address, unsigned access, struct mmu_entry *entry)
{
    struct walk walk;
    return mmu_is_canonical(address) && descend(root, address, &walk, entry) &&
           use(&walk, access, entry);
}

/* The core's answer in test builds; absent from others. */
bool vm_test_frame_is_free(addr_t physical) __attribute__((weak));

bool mmu_walk_from(unsigned cpu, addr_t root, addr_t address, unsigned access,
                   struct mmu_entry *entry)
{
    struct walk walk;
    struct walk_start from;
    if (!mmu_is_canonical(address))
        return false;
    if (!walk_cache_find(cpu, root, address, &from)) {
        from = root_start;
        from.table = root;
    }
    if (vm_test_frame_is_free != NULL && vm_test_frame_is_free(from.table))
        sim_fail("CPU %u walks for %#lx through a page table that is free, at %#lx", cpu,
                 (unsigned long)address, (unsigned long)from.table);
    return descend_from(from, cpu, root, address, &walk, entry) && use(&walk, access, entry);
}
