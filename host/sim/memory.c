/* SPDX-License-Identifier: MIT */
/* Physical memory: one reservation as long as the physical addresses go, of which only the ranges
 * that exist can be touched. So host_frame_ptr is one addition and a stray access is a crash. */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DEVICE_SIZE (SIM_DEVICE_PAGES * VM_PAGE_SIZE)
#define LONGEST_LOW_RANGE ((size_t)512 << 20)

static uint8_t *arena; /* the running machine's */
static struct vm_range ram[2];

/* Arenas outlive their machines: the next one is often as large as one of the last two. */
#define KEPT 2
static struct kept {
    uint8_t *arena;
    size_t memory, size;
} kept[KEPT];
static unsigned next_kept;
static uint8_t device[2][DEVICE_SIZE];

static const addr_t device_base[2] = {SIM_DEVICE_LOW, SIM_DEVICE_HIGH};

static void fill_range(const struct vm_range *range)
{
    memset(arena + range->base, SIM_STALE_BYTE, range->size);
}

static void allow_range(const struct vm_range *range)
{
    if (mprotect(arena + range->base, range->size, PROT_READ | PROT_WRITE) != 0)
        abort();
}

static void place_ranges(size_t size)
{
    size_t low = size * 3 / 8 & ~VM_PAGE_MASK;
    if (low > LONGEST_LOW_RANGE)
        low = LONGEST_LOW_RANGE;
    ram[0] = (struct vm_range){SIM_RAM_LOW, low};
    ram[1] = (struct vm_range){SIM_RAM_HIGH, (size - low) & ~VM_PAGE_MASK};
}

static void map_arena(struct kept *into, size_t size)
{
    if (into->arena != NULL)
        munmap(into->arena, into->size);
    into->memory = size;
    into->size = ram[1].base + ram[1].size;
    into->arena =
        mmap(NULL, into->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (into->arena == MAP_FAILED)
        abort();
    arena = into->arena;
    allow_range(&ram[0]);
    allow_range(&ram[1]);
}

static struct kept *find_kept(size_t size)
{
    for (unsigned i = 0; i < KEPT; i++)
        if (kept[i].arena != NULL && kept[i].memory == size)
            return &kept[i];
    return NULL;
}

void memory_start(size_t size, bool keep)
{
    struct kept *old = find_kept(size);
    place_ranges(size);
    if (old != NULL)
        arena = old->arena;
    else
        map_arena(&kept[next_kept++ % KEPT], size);
    if (old == NULL || !keep) {
        fill_range(&ram[0]);
        fill_range(&ram[1]);
    }
    memset(device, 0, sizeof(device));
}

void memory_describe(kernel_args *ka)
{
    ka->physical_memory_ranges = 2;
    ka->physical_memory_range[0] = ram[0];
    ka->physical_memory_range[1] = ram[1];
}

static bool in_range(const struct vm_range *range, addr_t physical)
{
    return physical >= range->base && physical - range->base < range->size;
}

bool memory_is_ram(addr_t physical)
{
    return in_range(&ram[0], physical) || in_range(&ram[1], physical);
}

uint8_t *memory_at(addr_t physical)
{
    if (memory_is_ram(physical))
        return arena + physical;
    for (int i = 0; i < 2; i++)
        if (physical >= device_base[i] && physical - device_base[i] < DEVICE_SIZE)
            return device[i] + (physical - device_base[i]);
    return NULL;
}

void *sim_physical(addr_t physical)
{
    uint8_t *memory = memory_at(physical);
    if (memory == NULL)
        sim_fail("no memory at physical address %#lx", (unsigned long)physical);
    return memory;
}

void *host_frame_ptr(addr_t physical)
{
    if (!memory_is_ram(physical))
        sim_fail("host_frame_ptr: no frame at %#lx", (unsigned long)physical);
    return arena + physical;
}
