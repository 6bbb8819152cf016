/* SPDX-License-Identifier: MIT */
/* What boot code hands over: a root table with every top-level entry of the kernel's space, and an
 * image mapped in it. The frames are taken from the bottom of memory. */
#include "internal.h"

#include <string.h>

#define ENTRY_PRESENT 0x1u
#define ENTRY_WRITABLE 0x2u
#define INDEX_BITS 9
#define LEVELS 4

static addr_t next_frame;

static addr_t take_frame(uint8_t byte)
{
    addr_t frame = next_frame;
    next_frame += VM_PAGE_SIZE;
    memset(sim_physical(frame), byte, VM_PAGE_SIZE);
    return frame;
}

static uint64_t *entry_at(addr_t table, addr_t address, unsigned level)
{
    unsigned shift = VM_PAGE_SHIFT + INDEX_BITS * (level - 1);
    uint64_t *entries = sim_physical(table);
    return &entries[address >> shift & ((1u << INDEX_BITS) - 1)];
}

static void map_page(addr_t root, addr_t address, addr_t frame)
{
    addr_t table = root;
    for (unsigned level = LEVELS; level > 1; level--) {
        uint64_t *entry = entry_at(table, address, level);
        if ((*entry & ENTRY_PRESENT) == 0)
            *entry = take_frame(0) | ENTRY_PRESENT | ENTRY_WRITABLE;
        table = *entry & ~VM_PAGE_MASK;
    }
    *entry_at(table, address, 1) = frame | ENTRY_PRESENT | ENTRY_WRITABLE;
}

void boot_build(kernel_args *ka)
{
    next_frame = SIM_RAM_LOW;
    ka->kernel_root = take_frame(0);
    for (unsigned i = 0; i < SIM_BOOT_PAGES; i++)
        map_page(ka->kernel_root, SIM_BOOT_BASE + i * VM_PAGE_SIZE,
                 take_frame((uint8_t)(SIM_BOOT_BYTE + i)));
    ka->physical_allocated_ranges = 1;
    ka->physical_allocated_range[0] = (struct vm_range){SIM_RAM_LOW, next_frame - SIM_RAM_LOW};
    ka->boot_regions = 1;
    ka->boot_region[0] = (struct vm_boot_region){
        .name = "boot image",
        .base = SIM_BOOT_BASE,
        .size = SIM_BOOT_PAGES * VM_PAGE_SIZE,
        .lock = LOCK_RW | LOCK_KERNEL,
    };
}
