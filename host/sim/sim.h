/* SPDX-License-Identifier: MIT */
/* The simulated machine: every host_* hook, deterministic, in one Linux process.
 *
 * Physical memory is an arena whose addresses neither start at 0 nor are without a hole. Programs
 * reach it through a software MMU that walks x86-64 page tables, and through one TLB for each CPU
 * that forgets nothing it wasn't told to forget: where the core omits a flush, a program sees the
 * wrong bytes. Threads are fibers which run until they wait or yield, so a run can be repeated.
 *
 * Simulated programs live in [SIM_USER_BASE, SIM_USER_END), where a position independent Linux
 * process has nothing of its own: an address says by itself whose it is. */
#ifndef QUIRE_SIM_H
#define QUIRE_SIM_H

#include <quire/vm.h>

#define SIM_USER_BASE ((addr_t)0x10000)
#define SIM_USER_END ((addr_t)0x400000000000)
#define SIM_KERNEL_BASE ((addr_t)0xffffff8000000000)
#define SIM_KERNEL_SIZE ((addr_t)0x8000000000 - VM_PAGE_SIZE)
/* The boot image: mapped in the kernel's space before vm_init, filled with SIM_BOOT_BYTE + page. */
#define SIM_BOOT_BASE ((addr_t)0xffffffff80000000)
#define SIM_BOOT_PAGES 8
#define SIM_BOOT_BYTE 0x40
/* Physical memory: two ranges with a hole between them, and two devices that aren't memory. */
#define SIM_RAM_LOW ((addr_t)0x100000)
#define SIM_RAM_HIGH ((addr_t)0x40000000)
#define SIM_DEVICE_LOW ((addr_t)0xb8000)
#define SIM_DEVICE_HIGH ((addr_t)0xfe000000)
#define SIM_DEVICE_PAGES 16

/* What a frame holds that nobody has written yet. */
#define SIM_STALE_BYTE 0xa5

/* ---- the machine ------------------------------------------------------------------------------- */

struct sim_config {
    size_t memory; /* bytes; 0: 16 MiB */
    unsigned cpus; /* 0: 1 */
    bool overcommit;
    size_t swap;                          /* slots of a swap device that the machine begins with */
    vm_store *(*make_swap)(size_t slots); /* makes that device; NULL: as sim_set_swap says */
    unsigned page_daemons;                /* 0: none */
    const struct vm_policy *policy;
    const struct vm_frame_hooks *frames;
    bool core_makes_root; /* kernel_args.kernel_root is 0, and there is no boot image */
    uint64_t seed;        /* of the scheduler: 0 is round robin, else the choice is random */
    bool keep_memory;     /* what frames hold is left as it is: for many short runs */
    unsigned fail_n;      /* sim_fail_at as soon as the machine is on; 0: nothing fails */
    unsigned fail_class;
    bool fail_forever;
};

/* Starts a machine and the core on it, all three stages. NULL: the default configuration. What
 * an unfinished machine before it left behind is thrown away. The error of vm_init*. */
int sim_start(const struct sim_config *config);
/* The same without starting the core: `ka` is what vm_init is to be given. */
void sim_power_on(const struct sim_config *config, kernel_args *ka);
/* For those who call vm_init and its successors themselves: waiting and threads are allowed now. */
void sim_allow_waiting(void);
void sim_allow_threads(void);
/* Ends the core and the machine. Whatever is left over (see struct vm_leftovers; vnode references,
 * fibers that haven't ended, boards of waiters) is said in the log and fails the test. */
void sim_end(void);
/* As sim_end, but returns how many kinds of things were left instead of failing. */
unsigned sim_end_counting(struct vm_leftovers *left);

/* Ends the running test with a sentence; formatted as printf does. Doesn't return. */
_Noreturn void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Called with the text of a failure, on the main fiber; must not return. The default prints the
 * text and the log, and aborts. */
void sim_set_failure_handler(void (*handler)(const char *text));

/* Runs the core's checker; contradictions fail the test, with the checker's text. */
void sim_check(const char *file, int line);
#define SIM_CHECK() sim_check(__FILE__, __LINE__)

/* What the core has logged since the last clear. */
const char *sim_log_text(void);
void sim_log_clear(void);

/* Frames that can be allocated now. */
size_t sim_free_frames(void);
int64_t sim_committed(void);

/* ---- CPUs and programs ------------------------------------------------------------------------- */

/* The running fiber goes on on another CPU. The CPU it leaves keeps its translations. */
void sim_set_cpu(unsigned cpu);
/* The running fiber's program lives in this address space: ERR_VM_INVALID_ASPACE for none. */
void sim_set_aspace(aspace_id aid);
/* vm_create_aspace over all of user space, entered by the running fiber. */
aspace_id sim_new_aspace(void);
/* Makes all CPUs and the running fiber leave the space, then deletes it. */
int sim_delete_aspace(aspace_id aid);

/* Accesses as the running fiber's program makes them, through TLB, MMU and page faults. VM_OK, or
 * the error of the fault that could not be resolved: everything before that byte was done. */
int sim_read(addr_t address, void *buffer, size_t length);
int sim_write(addr_t address, const void *buffer, size_t length);
int sim_execute(addr_t address, void *buffer, size_t length);
/* One byte: negative is the fault's error. */
int sim_read_byte(addr_t address);
int sim_write_byte(addr_t address, uint8_t byte);
/* `length` bytes of one value; whether all bytes have the value. */
int sim_fill(addr_t address, uint8_t byte, size_t length);
bool sim_is_filled(addr_t address, uint8_t byte, size_t length);
/* The same for the kernel: no VM_ACCESS_USER. */
int sim_kernel_read(addr_t address, void *buffer, size_t length);
int sim_kernel_write(addr_t address, const void *buffer, size_t length);

/* A page-table entry as the hardware sees it now: what a walk of the loaded root finds. */
struct sim_translation {
    addr_t physical; /* of the address itself */
    bool writable, user, executable, accessed, dirty;
};
/* False where nothing is present. Sets no bit and fills no TLB. */
bool sim_look_up(addr_t address, struct sim_translation *translation);
/* Whether the running CPU's TLB has an entry for the address. */
bool sim_tlb_holds(addr_t address);
/* Accesses through an entry that no longer agreed with the tables; and flushes asked for. */
uint64_t sim_stale_accesses(void);
uint64_t sim_tlb_flushes(void);
/* Page faults that programs have taken. */
uint64_t sim_faults(void);

/* The contents of physical memory or of a device. */
void *sim_physical(addr_t physical);

/* ---- fibers ------------------------------------------------------------------------------------ */

typedef struct sim_fiber sim_fiber;

/* A thread on the running fiber's CPU, in its address space. It runs from the next yield or wait on. */
sim_fiber *sim_spawn(const char *name, int (*function)(void *), void *argument);
sim_fiber *sim_spawn_on(unsigned cpu, aspace_id aid, const char *name, int (*function)(void *),
                        void *argument);
/* Lets others run. */
void sim_yield(void);
void sim_sleep(uint64_t nanoseconds);
/* Runs until all spawned fibers have ended; a deadlock fails the test. */
void sim_run(void);
/* Runs until no fiber can; time doesn't pass. How many spawned fibers haven't ended. */
unsigned sim_run_until_blocked(void);
bool sim_fiber_ended(const sim_fiber *fiber);
int sim_fiber_result(const sim_fiber *fiber);
/* The thread is to die: killable waits end with ERR_INTERRUPTED. */
void sim_kill(sim_fiber *fiber);
/* The number of a fiber: 0 is main, then in the order of their creation. */
unsigned sim_fiber_number(const sim_fiber *fiber);
/* The most stack any fiber has used, in bytes. */
size_t sim_deepest_stack(void);

/* ---- schedules --------------------------------------------------------------------------------- */

/* A step is a place where the turn may change: each atomic operation of the core, each wait, wake, flush
 * and access of a program comes behind one. At a step, and where the running fiber can't go on, the
 * scheduler says who does: one of `ready`, or `running`. It isn't asked where there is nobody else. */
#define SIM_NOBODY UINT32_MAX
#define SIM_MAX_READY 16
struct sim_choice {
    unsigned running; /* SIM_NOBODY: it waits, or has ended */
    unsigned count;   /* of those that could go on instead */
    unsigned ready[SIM_MAX_READY];
};
struct sim_scheduler {
    unsigned (*choose)(void *argument, const struct sim_choice *choice);
    void *argument;
};
/* NULL: back to the one of the configuration. */
void sim_set_scheduler(const struct sim_scheduler *scheduler);
/* Steps taken since the machine was started, where somebody could have gone on instead, or CPUs are hostile. */
uint64_t sim_steps(void);

/* What CPUs do that hardware may do. With another seed: at any step they load a translation that nobody
 * asked for, or forget one; and they walk on from tables they remember. */
#define SIM_TLB_PLAIN 0    /* they load on a miss and keep all; each walk begins at the root */
#define SIM_TLB_REMEMBER 1 /* the same, but walks begin at the lowest table they remember */
void sim_set_hostility(uint64_t seed);

/* A machine that is broken, so that it can be seen that this is noticed: until the next start no flush
 * reaches a TLB, or nobody is woken. */
void sim_lose_flushes(void);
void sim_lose_wakes(void);

/* ---- files ------------------------------------------------------------------------------------- */

typedef struct sim_file sim_file; /* is its own vnode */

/* A regular file. `data` may be NULL for zeros. `access` is VM_ACCESS_*: what mappings may do. */
sim_file *sim_file_create(const char *path, const void *data, size_t size, unsigned access);
/* A file in which each page is filled with its index + 1. */
sim_file *sim_file_create_numbered(const char *path, size_t pages);
/* The host's side of a truncation; the core learns of it through vm_cache_truncate. */
void sim_file_set_size(sim_file *file, size_t size);
uint8_t *sim_file_data(sim_file *file);
/* References the core holds on the vnode. */
unsigned sim_file_references(const sim_file *file);
/* Calls of host_vnode_read and pages they asked for; calls of host_vnode_write. */
unsigned sim_file_reads(const sim_file *file);
unsigned sim_file_pages_read(const sim_file *file);
unsigned sim_file_writes(const sim_file *file);
/* From the n-th read from now on (1: the next) `times` reads fail with `error`. */
void sim_file_fail_reads(sim_file *file, unsigned n, unsigned times, int error);
void sim_file_fail_writes(sim_file *file, unsigned n, unsigned times, int error);
/* Reads stop after so many bytes; SIZE_MAX: they don't. */
void sim_file_shorten_reads(sim_file *file, size_t bytes);
/* While blocked, they wait; how many do. */
void sim_file_block_reads(sim_file *file, bool block);
void sim_file_block_writes(sim_file *file, bool block);
unsigned sim_file_blocked(const sim_file *file);
/* host_vnode_write answers ERR_UNSUPPORTED, as a ram file system's does. */
void sim_file_forbid_writing(sim_file *file);

/* ---- swap -------------------------------------------------------------------------------------- */

typedef struct sim_swap sim_swap;

/* What makes the swap of machines whose configuration doesn't say; NULL: it is one of the machine's. */
void sim_set_swap(vm_store *(*make)(size_t slots));
/* A device that becomes the core's by vm_swap_add(sim_swap_store(...), slots, ...). */
sim_swap *sim_swap_create(size_t slots);
vm_store *sim_swap_store(sim_swap *swap);
/* The one of the configuration, if the machine has made it, or NULL. */
sim_swap *sim_boot_swap(void);
/* From the n-th read or write from now on (1: the next) `times` fail. */
void sim_swap_fail_reads(sim_swap *swap, unsigned n, unsigned times);
void sim_swap_fail_writes(sim_swap *swap, unsigned n, unsigned times);
/* While blocked, reads and writes wait; how many do. */
void sim_swap_block(sim_swap *swap, bool block);
unsigned sim_swap_blocked(const sim_swap *swap);
unsigned sim_swap_reads(const sim_swap *swap);
unsigned sim_swap_writes(const sim_swap *swap);

/* ---- machines that stop ------------------------------------------------------------------------- */

/* When so many pages have been written from now on, to files and swap together, the machine stops as if it
 * failed, in the middle of a write; what files have stays until the next start. Pages of one write are
 * written in an order that the seed says, and take long; 0: ascending, and at once. */
void sim_stop_at_write(unsigned n, uint64_t seed);
/* The last failure was that stop. */
bool sim_is_stopped(void);
uint64_t sim_pages_written(void);

/* Disks that are broken, so that it can be seen that this is noticed: until the next start, every third page
 * that is written to a file isn't, is only once another is, or is only in its first half. */
enum sim_disk { SIM_DISK_SOUND, SIM_DISK_LOSES, SIM_DISK_LATE, SIM_DISK_TEARS };
void sim_break_disks(enum sim_disk how);

/* ---- failures on purpose ------------------------------------------------------------------------ */

enum sim_failure { /* enum vm_inject, in its order */
                   SIM_FAIL_METADATA,
                   SIM_FAIL_FRAME,
                   SIM_FAIL_TABLE,
                   SIM_FAIL_COMMIT,
                   SIM_FAIL_STORE_READ,
                   SIM_FAIL_SHORT_READ, /* half of what was asked for */
                   SIM_FAIL_STORE_WRITE,
                   SIM_FAIL_SLOT,
                   SIM_FAIL_USER_COPY,
                   SIM_FAIL_THREAD,
                   SIM_FAILURES,
};

/* The n-th request from now on (1: the next) fails; `forever`: and all behind it. 0: none does. */
void sim_fail_at(enum sim_failure class, unsigned n, bool forever);
/* Requests since sim_fail_at, and how many of them were failed. */
unsigned sim_fail_seen(enum sim_failure class);
unsigned sim_fail_done(enum sim_failure class);
const char *sim_failure_name(enum sim_failure class);

/* The places in the core where a request can fail; counts since the process began, over all machines. */
struct sim_site {
    const char *file;
    unsigned line;
    enum sim_failure class;
    uint64_t seen, failed;
};
size_t sim_sites(void);
struct sim_site sim_site(size_t index);

#endif
