/* SPDX-License-Identifier: MIT */
/* Accesses to simulated memory: TLB, else a walk, else a page fault, and again. A TLB entry is
 * believed even where the tables have changed since, as hardware does; but what it leads to is
 * compared with the tables, and an access to a frame that the core holds free ends the test. */
#include "internal.h"

#include <string.h>

#define MAX_FAULTS 1000 /* of one access */
#define PROGRAM_IP SIM_USER_BASE
#define KERNEL_IP SIM_BOOT_BASE

/* The core's answer in test builds; absent from others. */
bool vm_test_frame_is_free(addr_t physical) __attribute__((weak));

static uint64_t stale_accesses;
static uint64_t faults;

void access_start(void)
{
    stale_accesses = 0;
    faults = 0;
}

static void note_stale(addr_t root, addr_t address, const struct mmu_entry *held)
{
    struct mmu_entry now;
    bool present = mmu_inspect(root, address, &now);
    if (present && now.frame == held->frame && now.writable >= held->writable)
        return;
    stale_accesses++;
    if (vm_test_frame_is_free != NULL && memory_is_ram(held->frame) &&
        vm_test_frame_is_free(held->frame))
        sim_fail("access at %#lx through a stale TLB entry, to the free frame %#lx",
                 (unsigned long)address, (unsigned long)held->frame);
}

/* Dirty bits are set by a walk, so an entry without it doesn't do for a write. An access that an
 * entry forbids is tried on the tables before it faults, and the entry is forgotten. */
static bool find_in_tlb(unsigned cpu, addr_t address, unsigned access, struct mmu_entry *entry)
{
    addr_t root = cpu_root(cpu);
    if (!tlb_find(cpu, root, address, entry))
        return false;
    bool write = (access & VM_ACCESS_WRITE) != 0;
    if (mmu_permits(entry, access) && (!write || entry->dirty)) {
        note_stale(root, address, entry);
        return true;
    }
    tlb_remove(cpu, root, address);
    return false;
}

/* A fault drops what the CPU remembers of the tables for the address (Intel SDM volume 3A, section 4.10.4.1). */
static bool translate(addr_t address, unsigned access, struct mmu_entry *entry)
{
    unsigned cpu = fiber_cpu();
    if (find_in_tlb(cpu, address, access, entry))
        return true;
    bool found = tlb_is_hostile() ? mmu_walk_from(cpu, cpu_root(cpu), address, access, entry)
                                  : mmu_walk(cpu_root(cpu), address, access, entry);
    if (found)
        tlb_insert(cpu, cpu_root(cpu), address, entry);
    else
        walk_cache_flush(cpu, cpu_root(cpu), address, address);
    return found;
}

static uint8_t *byte_of(const struct mmu_entry *entry, addr_t address)
{
    uint8_t *memory = memory_at(entry->frame);
    if (memory == NULL)
        sim_fail("%#lx is mapped to %#lx, where nothing is", (unsigned long)address,
                 (unsigned long)entry->frame);
    return memory + (address & VM_PAGE_MASK);
}

uint8_t *access_resolve(addr_t address, addr_t ip, unsigned access, int *error)
{
    struct mmu_entry entry;
    tlb_note_use(address);
    for (int i = 0; i < MAX_FAULTS; i++) {
        fiber_step();
        if (translate(address, access, &entry))
            return byte_of(&entry, address);
        addr_t newip = 0;
        faults++;
        *error = vm_handle_fault(address, ip, access, &newip);
        if (*error != VM_OK)
            return NULL;
        if (newip != 0) {
            *error = ERR_VM_BAD_USER_MEMORY;
            return NULL;
        }
    }
    sim_fail("the fault at %#lx (access %#x) is resolved again and again", (unsigned long)address,
             access);
}

static size_t piece(addr_t address, size_t length)
{
    size_t rest = VM_PAGE_SIZE - (address & VM_PAGE_MASK);
    return length < rest ? length : rest;
}

static int copy(addr_t address, void *to, const void *from, size_t length, unsigned access)
{
    addr_t ip = (access & VM_ACCESS_USER) != 0 ? PROGRAM_IP : KERNEL_IP;
    for (size_t done = 0; done < length;) {
        size_t now = piece(address + done, length - done);
        int error;
        uint8_t *memory = access_resolve(address + done, ip, access, &error);
        if (memory == NULL)
            return error;
        if (from != NULL)
            memcpy(memory, (const uint8_t *)from + done, now);
        else
            memcpy((uint8_t *)to + done, memory, now);
        done += now;
    }
    return VM_OK;
}

int sim_read(addr_t address, void *buffer, size_t length)
{
    return copy(address, buffer, NULL, length, VM_ACCESS_READ | VM_ACCESS_USER);
}

int sim_write(addr_t address, const void *buffer, size_t length)
{
    return copy(address, NULL, buffer, length, VM_ACCESS_WRITE | VM_ACCESS_USER);
}

int sim_execute(addr_t address, void *buffer, size_t length)
{
    return copy(address, buffer, NULL, length, VM_ACCESS_EXECUTE | VM_ACCESS_USER);
}

int sim_kernel_read(addr_t address, void *buffer, size_t length)
{
    return copy(address, buffer, NULL, length, VM_ACCESS_READ);
}

int sim_kernel_write(addr_t address, const void *buffer, size_t length)
{
    return copy(address, NULL, buffer, length, VM_ACCESS_WRITE);
}

int sim_read_byte(addr_t address)
{
    uint8_t byte;
    int error = sim_read(address, &byte, 1);
    return error != VM_OK ? error : byte;
}

int sim_write_byte(addr_t address, uint8_t byte)
{
    return sim_write(address, &byte, 1);
}

int sim_fill(addr_t address, uint8_t byte, size_t length)
{
    uint8_t block[256];
    memset(block, byte, sizeof(block));
    for (size_t done = 0; done < length; done += sizeof(block)) {
        size_t now = length - done < sizeof(block) ? length - done : sizeof(block);
        int error = sim_write(address + done, block, now);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

bool sim_is_filled(addr_t address, uint8_t byte, size_t length)
{
    uint8_t block[256];
    for (size_t done = 0; done < length; done += sizeof(block)) {
        size_t now = length - done < sizeof(block) ? length - done : sizeof(block);
        if (sim_read(address + done, block, now) != VM_OK)
            return false;
        for (size_t i = 0; i < now; i++)
            if (block[i] != byte)
                return false;
    }
    return true;
}

bool sim_look_up(addr_t address, struct sim_translation *translation)
{
    struct mmu_entry entry;
    if (!mmu_inspect(cpu_root(fiber_cpu()), address, &entry))
        return false;
    *translation = (struct sim_translation){
        .physical = entry.frame | (address & VM_PAGE_MASK),
        .writable = entry.writable,
        .user = entry.user,
        .executable = entry.executable,
        .accessed = entry.accessed,
        .dirty = entry.dirty,
    };
    return true;
}

bool sim_tlb_holds(addr_t address)
{
    struct mmu_entry entry;
    return tlb_find(fiber_cpu(), cpu_root(fiber_cpu()), address, &entry);
}

uint64_t sim_stale_accesses(void)
{
    return stale_accesses;
}

uint64_t sim_faults(void)
{
    return faults;
}
