/* SPDX-License-Identifier: MIT */
/* The hooks of quire/host.h that are neither waiting, nor text, nor files, nor user_copy.S. */
#include <kernel/process.h>
#include <quire/host.h>
#include "x86/x86.h"

#define FLUSH_ONE_BY_ONE 33 /* Linux's ceiling too: beyond it, starting afresh is cheaper */

void *host_frame_ptr(addr_t physical)
{
    return (void *)(DIRECT_MAP_BASE + physical);
}

unsigned host_cpu_id(void)
{
    return cpu_current()->id;
}

static bool is_kernel_address(addr_t address)
{
    return address >= DIRECT_MAP_BASE;
}

/* What this CPU does for a flush. The others are parked: their bits are never set, because they never
 * enter an address space. */
static void flush_here(addr_t root, addr_t start, size_t count)
{
    if (root != cpu_current()->root && !is_kernel_address(start))
        return;
    if (count > FLUSH_ONE_BY_ONE) {
        load_root(cpu_current()->root);
        return;
    }
    for (size_t i = 0; i < count; i++)
        __asm__ volatile("invlpg (%0)" : : "r"(start + i * VM_PAGE_SIZE) : "memory");
}

void host_tlb_flush(addr_t root, uint64_t cpu_mask, addr_t start, size_t count)
{
    bool interrupts = interrupts_save();
    if ((cpu_mask >> cpu_current()->id & 1) != 0)
        flush_here(root, start, count);
    interrupts_restore(interrupts);
}

vm_address_space *host_current_aspace(void)
{
    const struct user_memory *memory = thread_current()->memory;
    return memory != NULL ? memory->aspace : NULL;
}

struct exception_entry {
    addr_t ip, handler;
};
extern const struct exception_entry exception_table[], exception_table_end[];

addr_t host_fault_handler(addr_t ip)
{
    for (const struct exception_entry *entry = exception_table; entry < exception_table_end;
         entry++)
        if (entry->ip == ip)
            return entry->handler;
    return 0;
}
