/* SPDX-License-Identifier: MIT */
/* What the simulator's files share. Each file owns its state and starts and stops it by itself. */
#ifndef QUIRE_SIM_INTERNAL_H
#define QUIRE_SIM_INTERNAL_H

#include "sim.h"
#include <quire/host.h>

/* ---- memory.c ---- */
void memory_start(size_t size, bool keep);
void memory_describe(kernel_args *ka);
/* NULL where there is neither memory nor a device. */
uint8_t *memory_at(addr_t physical);
bool memory_is_ram(addr_t physical);

/* ---- boot.c ---- */
/* The tables and the image that boot code would have made, at the bottom of memory. */
void boot_build(kernel_args *ka);

/* ---- mmu.c ---- */
struct mmu_entry {
    addr_t frame;
    bool writable, user, executable, accessed, dirty;
};
bool mmu_is_canonical(addr_t address);
/* Whether the entry permits VM_ACCESS_* bits. */
bool mmu_permits(const struct mmu_entry *entry, unsigned access);
/* Walks the table at `root`; false where nothing is present. Changes nothing. */
bool mmu_inspect(addr_t root, addr_t address, struct mmu_entry *entry);
/* A hardware walk: when the access is permitted, it sets accessed and dirty bits. */
bool mmu_walk(addr_t root, addr_t address, unsigned access, struct mmu_entry *entry);
/* The same for a CPU that may remember tables from earlier walks, until a flush of their range. */
bool mmu_walk_from(unsigned cpu, addr_t root, addr_t address, unsigned access,
                   struct mmu_entry *entry);

/* ---- tlb.c ---- */
void tlb_start(unsigned cpus);
void tlb_stop(void);
bool tlb_find(unsigned cpu, addr_t root, addr_t address, struct mmu_entry *entry);
void tlb_insert(unsigned cpu, addr_t root, addr_t address, const struct mmu_entry *entry);
void tlb_remove(unsigned cpu, addr_t root, addr_t address);
/* What loading another root does: all but the kernel's entries go. */
void tlb_drop_user(unsigned cpu);
/* What a CPU does of itself between two instructions, where it is hostile. */
void tlb_step(void);
bool tlb_is_hostile(void);
/* An address that a program has used: a hostile CPU may load it again at any time. */
void tlb_note_use(addr_t address);

/* ---- walk_cache.c ---- */
/* Tables that a CPU remembers. Level n's tables hold entries that map 2^(12 + 9(n-1)) bytes each. */
struct walk_start {
    addr_t table;
    unsigned level;
    bool writable, user, executable; /* what the levels above permit */
};
void walk_cache_start(unsigned cpus);
/* The lowest table remembered for the address; false: none. */
bool walk_cache_find(unsigned cpu, addr_t root, addr_t address, struct walk_start *start);
void walk_cache_insert(unsigned cpu, addr_t root, addr_t address, const struct walk_start *start);
void walk_cache_flush(unsigned cpu, addr_t root, addr_t first, addr_t last);
void walk_cache_drop_user(unsigned cpu);

/* ---- cpu.c ---- */
void cpu_start(unsigned cpu_total);
void cpu_stop(void);
/* Once the core runs: every CPU translates by the kernel's root. */
void cpu_enter_kernel(void);
unsigned cpu_count(void);
/* Takes a reference on a space that CPUs may be asked to load; gives back those of spaces that no CPU
 * and no fiber uses. Both may wait. */
void cpu_know(aspace_id aid);
/* The space of that id, which cpu_know has made known, or NULL. */
vm_address_space *cpu_aspace(aspace_id aid);
void cpu_forget_unused(void);
/* Makes `cpu` translate by a space that is known, or else by the kernel's. Doesn't wait. */
void cpu_load(unsigned cpu, aspace_id aid);
/* Makes each CPU that translates by `aid` translate by the kernel's instead. */
void cpu_unload(aspace_id aid);
addr_t cpu_root(unsigned cpu);
addr_t cpu_kernel_root(void);

/* ---- access.c ---- */
/* Where the byte at `address` is, after faults as needed. `ip` is the instruction at fault; NULL and
 * *error where the fault wasn't resolved or the core went to a fault handler. What it gives is good
 * until the next call of the core's. */
uint8_t *access_resolve(addr_t address, addr_t ip, unsigned access, int *error);
void access_start(void);

/* ---- fiber.c ---- */
void fiber_start(const struct sim_config *config);
void fiber_stop(void);
/* How many fibers haven't ended; says their names in the log. */
unsigned fiber_report(void);
unsigned fiber_cpu(void);
bool fiber_uses_aspace(aspace_id aid);
/* While held, the running fiber isn't interrupted. */
void fiber_hold_turn(bool hold);
/* A place where the turn may change. */
void fiber_step(void);
/* Fails the test from whichever fiber runs. */
_Noreturn void fiber_fail(const char *text);

/* ---- file.c ---- */
void file_stop(void);
/* How many files have references or caches left; says so in the log. */
unsigned file_report(void);

/* ---- request.c ---- */
struct request_plan {
    unsigned next, times; /* fails the calls numbered next ... next + times - 1 from now on */
    int error;
};
/* The error of this call. */
int request_failure(struct request_plan *plan);
/* Calls wait while `blocked` is 1; how many do. */
void request_block(uint32_t *blocked, bool block);
void request_wait(uint32_t *blocked, unsigned *waiting);
void request_start(void);
/* In which order the pages of a write are written. At most so many. */
#define REQUEST_PAGES 64
void request_order(size_t *index, size_t count);
/* Before each page: a write takes its time. */
void request_page_begins(void);
/* What the disk does to the page that is about to be written. */
enum sim_disk request_disk(void);
/* A page has been written; the machine may stop here. */
void request_page_written(void);

/* ---- swap.c ---- */
void swap_stop(void);

/* ---- log.c ---- */
void log_start(void);
void log_stop(void);
void log_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- inject.c ---- */
void inject_start(void);

#endif
