/* SPDX-License-Identifier: MIT */
/* What CPUs remember of page tables: where the tables for a range are, so that a walk need not begin
 * at the root. An entry lives until a flush of any address that it serves; a core that frees a table
 * before that lets the CPU walk through whatever the frame has become. */
#include "internal.h"

#define ENTRIES 32
#define INDEX_BITS 9
#define KERNEL_HALF ((addr_t)1 << 63)

struct remembered {
    addr_t root; /* 0: nothing */
    addr_t first, last;
    struct walk_start start;
};

static struct remembered entries[VM_MAX_CPUS][ENTRIES];
static unsigned next_entry[VM_MAX_CPUS];

void walk_cache_start(unsigned cpus)
{
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        for (unsigned i = 0; i < ENTRIES; i++)
            entries[cpu][i].root = 0;
}

bool walk_cache_find(unsigned cpu, addr_t root, addr_t address, struct walk_start *start)
{
    bool found = false;
    for (unsigned i = 0; i < ENTRIES; i++) {
        const struct remembered *r = &entries[cpu][i];
        if (r->root != root || address < r->first || address > r->last)
            continue;
        if (!found || r->start.level < start->level)
            *start = r->start;
        found = true;
    }
    return found;
}

void walk_cache_insert(unsigned cpu, addr_t root, addr_t address, const struct walk_start *start)
{
    addr_t span = VM_PAGE_SIZE << (INDEX_BITS * start->level);
    addr_t first = address & ~(span - 1);
    unsigned at = next_entry[cpu]++ % ENTRIES;
    for (unsigned i = 0; i < ENTRIES; i++) {
        const struct remembered *r = &entries[cpu][i];
        if (r->root == root && r->first == first && r->start.level == start->level)
            at = i;
    }
    entries[cpu][at] = (struct remembered){root, first, first + (span - 1), *start};
}

void walk_cache_flush(unsigned cpu, addr_t root, addr_t first, addr_t last)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct remembered *r = &entries[cpu][i];
        bool here = r->root == root || r->first >= KERNEL_HALF;
        if (here && r->first <= last && first <= r->last)
            r->root = 0;
    }
}

void walk_cache_drop_user(unsigned cpu)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (entries[cpu][i].first < KERNEL_HALF)
            entries[cpu][i].root = 0;
}
