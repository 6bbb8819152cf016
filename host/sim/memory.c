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

static uint8_t *arena;
static size_t arena_size, memory_size;
static struct vm_range ram[2];
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

static void map_arena(size_t size)
{
    size_t low = size * 3 / 8 & ~VM_PAGE_MASK;
    if (low > LONGEST_LOW_RANGE)
        low = LONGEST_LOW_RANGE;
    ram[0] = (struct vm_range){SIM_RAM_LOW, low};
    ram[1] = (struct vm_range){SIM_RAM_HIGH, (size - low) & ~VM_PAGE_MASK};
    arena_size = ram[1].base + ram[1].size;
    arena = mmap(NULL, arena_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED)
        abort();
    allow_range(&ram[0]);
    allow_range(&ram[1]);
    memory_size = size;
}

/* The arena outlives its machine: the next one is often as large. */
void memory_start(size_t size, bool keep)
{
    bool same = arena != NULL && memory_size == size;
    if (arena != NULL && !same)
        munmap(arena, arena_size);
    if (!same)
        map_arena(size);
    if (!same || !keep) {
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
