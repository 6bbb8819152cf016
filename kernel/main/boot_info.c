/* SPDX-License-Identifier: MIT */
/* The PVH start structure, by Xen's public/arch-x86/hvm/start_info.h. All addresses in it are physical;
 * the direct map reaches them. It is read, and the command line copied, before the core is given any
 * memory: where the loader has put them doesn't matter. */
#include <kernel/log.h>
#include <kernel/string.h>
#include <quire/host.h>
#include "main/boot_info.h"
#include "x86/x86.h"

#define START_MAGIC 0x336ec578u
#define MEMORY_RAM 1u
#define LOW_MEMORY_END 0x100000ul /* what lies below belongs to firmware and loader */

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp;
    uint64_t memory_map;
    uint32_t memory_map_entries, reserved;
};

struct start_module {
    uint64_t address, size, command_line, reserved;
};

struct memory_map_entry {
    uint64_t address, size;
    uint32_t type, reserved;
};

struct boot_info boot_info;

static addr_t round_down(addr_t address)
{
    return address & ~VM_PAGE_MASK;
}

static addr_t round_up(addr_t address)
{
    return (address + VM_PAGE_MASK) & ~VM_PAGE_MASK;
}

static void add_memory(kernel_args *arguments, const struct memory_map_entry *entry)
{
    addr_t start = round_up(entry->address), end = round_down(entry->address + entry->size);
    if (start < LOW_MEMORY_END)
        start = LOW_MEMORY_END;
    if (entry->type != MEMORY_RAM || start >= end)
        return;
    unsigned i = arguments->physical_memory_ranges;
    if (i == VM_MAX_PHYSICAL_RANGES)
        panic("the memory map has more than %d ranges", VM_MAX_PHYSICAL_RANGES);
    for (; i > 0 && arguments->physical_memory_range[i - 1].base > start; i--)
        arguments->physical_memory_range[i] = arguments->physical_memory_range[i - 1];
    arguments->physical_memory_range[i] = (struct vm_range){start, end - start};
    arguments->physical_memory_ranges++;
}

static void add_taken(kernel_args *arguments, addr_t start, addr_t end)
{
    unsigned i = arguments->physical_allocated_ranges++;
    start = round_down(start);
    for (; i > 0 && arguments->physical_allocated_range[i - 1].base > start; i--)
        arguments->physical_allocated_range[i] = arguments->physical_allocated_range[i - 1];
    arguments->physical_allocated_range[i] = (struct vm_range){start, round_up(end) - start};
}

void boot_info_read(addr_t physical, kernel_args *arguments)
{
    const struct start_info *info = host_frame_ptr(physical);
    if (info->magic != START_MAGIC || info->version < 1)
        panic("not started with a PVH start structure of version 1: use QEMU's -kernel");
    const struct memory_map_entry *map = host_frame_ptr(info->memory_map);
    for (unsigned i = 0; i < info->memory_map_entries; i++)
        add_memory(arguments, &map[i]);
    add_taken(arguments, LOW_MEMORY_END, (addr_t)image_end - IMAGE_OFFSET);
    if (info->module_count > 0) {
        const struct start_module *module = host_frame_ptr(info->modules);
        boot_info.archive = module->address;
        boot_info.archive_size = module->size;
        add_taken(arguments, module->address, module->address + module->size);
    }
    if (info->command_line != 0)
        command_line_read(host_frame_ptr(info->command_line));
}
