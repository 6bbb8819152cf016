/* SPDX-License-Identifier: MIT */
/* Quire in a Linux process: memory that is larger than the memory it uses.
 *
 * Regions are addresses that hold what a store has, or memory of no store's; only as much of them is in memory
 * as the budget allows. They are read and written as any memory; faults are Quire's. All functions but
 * quire_start and quire_stop may be called from any thread, but not from a signal handler; they take signals
 * back until they return. Each gives VM_OK or an error of <quire/types.h>, whose text vm_error_text has, and on
 * an error has changed nothing, unless it says otherwise. Before quire_start, after quire_stop and in a child
 * of fork: ERR_UNSUPPORTED.
 *
 * After a fork the child has no regions: an access there is SIGSEGV. The parent's stay as they are. */
#ifndef QUIRE_QUIRE_H
#define QUIRE_QUIRE_H

#include <quire/store.h>
#include <quire/stores.h>
#include <quire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- starting and ending ------------------------------------------------------------------------ */

/* How a fault is taken. */
enum quire_mode {
    QUIRE_MODE_AUTO = 0,
    /* By SIGBUS, in the thread that faults: the fastest. System calls get EFAULT for a page that is not in
     * memory: see quire_populate and quire_pin. Works for any user where userfaultfd is there at all. */
    QUIRE_MODE_SIGNAL = 1,
    /* By threads that get messages: slower, but system calls may read and write regions, and others by
     * process_vm_readv; ptrace(2) and /proc/PID/mem give EIO for a page that is not in memory, in SIGNAL mode, too.
     * Needs root, CAP_SYS_PTRACE, vm.unprivileged_userfaultfd=1, or access to /dev/userfaultfd. */
    QUIRE_MODE_HANDLER = 2,
    /* By SIGSEGV, in the thread that faults, for a program that pages itself by <quire/vspace.h>, with one vspace,
     * vspace_current_init's; see `upcall`, too. A frame may be shown and written at any number of addresses.
     * Needs nothing of userfaultfd, starts no thread but daemons, keeps the memory that it has used up to the
     * budget. System calls get EFAULT for a page that was not touched, or not for long: they must be tried again. Frames of
     * devices can't be touched (ERR_UNSUPPORTED). The functions of vspace.h take no signals back, so handlers of signals
     * that may interrupt them must not touch vregions. A child that fork's handlers don't see (clone, _Fork) shares
     * pages. No regions of this header: quire_map and quire_add_swap are ERR_UNSUPPORTED. */
    QUIRE_MODE_VSPACE = 3,
};

/* What the program does about an access that failed with `error`, ERR_NOT_FOUND where nothing is filled in:
 * true tries it again, false is the SIGSEGV of whoever had that before. `access` is one of VM_ACCESS_READ, _WRITE,
 * _EXECUTE. Called by the thread that faults, in the handler of its signal, with all others held back, on its
 * alternate stack if it has one. It may call <quire/vspace.h>, as far as the access was none of that itself, and
 * touch vregions; what else it uses must be memory that isn't paged by itself. */
typedef bool quire_upcall(void *argument, void *address, unsigned access, int error);

struct quire_options {
    /* Bytes of memory for everything, tables included, which are about a sixtieth of it and are there from the
     * start, and up to 1.5 MiB, a twentieth at most, for reading ahead; at least 1 MiB. */
    size_t budget;
    enum quire_mode mode; /* of regions that don't say; AUTO is SIGNAL */
    unsigned
        daemons; /* threads that evict ahead of need, up to 8; 0: whoever needs a page sees to it */
    unsigned
        handlers; /* threads of HANDLER mode, up to 16; 0: 2. A store that doesn't answer holds one */
    const struct vm_policy *policy; /* which page goes: vm_policy_* of <quire/vm.h>; NULL: CAR */
    /* The addresses of regions: so many bytes from `base` on, both multiples of 2 MiB, below 2^47. NULL and 0: where
     * Linux has room: 1 TiB, or half of what limits of the process leave, but 16 MiB at least.
     * ERR_VM_NO_REGION_SLOT: something is there. */
    void *base;
    size_t range;
    quire_upcall *upcall; /* of VSPACE mode; NULL: there is none */
    void *upcall_argument;
    bool
        overcommit; /* memory of no store's may be larger than budget and swap: then an access can find no
                        place, and is SIGBUS. Nor are stores asked by `commit` whether they have room */
};

/* Starts Quire in this process, once at a time; before that no thread may have regions. SIGNAL mode takes
 * SIGBUS, VSPACE mode SIGSEGV: what is not Quire's goes to the handler that is there now, so others are to be
 * installed before: see quire_check.
 * ERR_INVALID_ARGS; ERR_NO_MEMORY; ERR_UNSUPPORTED: this kernel doesn't let this user, quire_why() says what is
 * missing. */
int quire_start(const struct quire_options *options);
/* Ends it: all regions go, as by quire_unmap, and swap stores are destroyed. No thread may use a region any
 * more. ERR_VM_GENERAL: something was left over, which is a bug of Quire's, or a vspace, an object, a frame or a file
 * of the program's. */
int quire_stop(void);
/* A sentence for the last ERR_UNSUPPORTED of quire_start, quire_check, or quire_map of a mode. After a quire_start that
 * has succeeded a warning, or "": the budget is no less than what a memory cgroup lets this process have. Beyond that
 * Linux swaps, or ends the process; it is no error, since the budget may never be used, and limits change. */
const char *quire_why(void);
/* Whether faults of this thread still come to Quire. ERR_UNSUPPORTED: where they are signals (SIGBUS in SIGNAL mode of
 * any region so far, SIGSEGV in VSPACE mode) another handler was installed since quire_start (then all is well only
 * if it passes on what isn't its own), or this thread blocks them. It asks Linux, and may be asked after libraries
 * were initialized, or in a program's tests. */
int quire_check(void);
/* What quire_start has chosen. */
enum quire_mode quire_mode(void);
/* Memory of no store's, and private pages, may go to `store` from here on, which has room for so many pages.
 * It is destroyed by quire_stop. vm_swap_add has the errors (ERR_INVALID_ARGS also: the store is in a mapping); what
 * its `commit` says, if it can't promise that. */
int quire_add_swap(vm_store *store, size_t pages, const char *name);

/* ---- regions ------------------------------------------------------------------------------------ */

/* What happens when a store can't read a page: by the faulting thread, or who asks for the page. Each access asks the
 * store anew; but in HANDLER mode, once one has failed, others of that page fail with it for 20 ms (with SIGBUS; before
 * Linux 6.6 with SIGSEGV). */
enum quire_on_error {
    QUIRE_ON_ERROR_SIGNAL = 0, /* SIGBUS at the address that was accessed */
    QUIRE_ON_ERROR_RETRY = 1,  /* again after `pause_ms`, up to `retries` times; then SIGNAL */
    QUIRE_ON_ERROR_POISON = 2, /* zeros instead, counted in quire_info.poisoned */
    QUIRE_ON_ERROR_ASK = 3,    /* what `ask` says: SIGNAL, RETRY or POISON */
};

struct quire_policy {
    enum quire_on_error on_error;
    unsigned retries, pause_ms;
    enum quire_on_error (*ask)(void *argument, off_t offset, int error);
    void *argument;
};

#define QUIRE_READ_ONLY 0x1u /* writes are SIGSEGV */
#define QUIRE_PRIVATE 0x2u   /* what is written stays in memory or swap: the store isn't written */

struct quire_mapping {
    const char *name;
    /* Of <quire/stores.h>, or one's own. Whose it becomes, if quire_map succeeds, until quire_unmap destroys it:
     * it is in one mapping, or else ERR_INVALID_ARGS. NULL: memory. */
    vm_store *store;
    /* Of the region, in bytes; whole pages are mapped. A page at or behind the store's end is SIGBUS; what the last
     * one has behind it reads as zeros. */
    size_t size;
    off_t offset;   /* of its start in the store; page aligned; 0 for memory */
    unsigned flags; /* QUIRE_READ_ONLY (not for memory), QUIRE_PRIVATE */
    /* How much is read for a fault, if it is there: 4 KiB to 2 MiB, a power of two (more than a page is 64 KiB at
     * least). 0: a page, or up to 64 KiB where faults come in sequence. Then, and with granules of 64 KiB and more, what
     * lies behind them in a store is read ahead, by up to three threads of Quire's: one is there from the first such region
     * on, it begins the others when there is work for them. Up to 4 MiB, an eighth of the budget or of the limit. An error
     * of that is nobody's, unless a page is accessed. */
    size_t granule;
    /* Bytes of it in memory, at most (64 pages at least), beside those that are pinned or that a snapshot shows,
     * too; 0: the budget alone limits it. Each thread may bring one granule, or 64 KiB (a sixteenth of the limit, for what is
     * read ahead), before it looks, and waits 20 ms
     * at most for another's eviction. A granule is a quarter of it, at most. */
    size_t limit;
    struct quire_policy policy;
    /* How its faults are taken; AUTO: as quire_start was told. The first region of another mode starts what that
     * mode needs: its threads, or the handler of SIGBUS. */
    enum quire_mode mode;
};

/* A new region, at an address that Linux and Quire choose. ERR_INVALID_ARGS, ERR_NO_MEMORY, ERR_UNSUPPORTED (a
 * store with `fault`, or a mode that this user can't have: see quire_why), ERR_VM_NO_REGION_SLOT (no addresses are left
 * for so much), ERR_PERMISSION_DENIED (neither flag, and the store can't be written: it has no `write`, or, without
 * overcommit, a file isn't VM_STORE_FILE_WRITABLE), ERR_VM_WOULD_OVERCOMMIT (memory, and budget and swap don't suffice,
 * or tables for that much would take too much of the budget; or a store that is to be written doesn't promise room by
 * its `commit`). */
int quire_map(const struct quire_mapping *mapping, void **address);
/* The whole region that begins at `address` goes; what is modified is written to its store first, whose
 * destroy is called before it returns, and may use Quire; of a QUIRE_PRIVATE region, when no snapshot and no daemon
 * needs it any more. The error of that write, after which the region has gone all the same.
 * ERR_VM_INVALID_REGION: no region begins there, or another call unmaps it already. No thread may use it any more; one
 * of Quire's may be reading ahead from its store, and is waited for. No other call waits for that, or for the write, but
 * quire_stop. */
int quire_unmap(void *address);

/* A region that shows what the one at `address` shows now, and stays so, whatever becomes of that one. No page is copied
 * until one of the two is written. In SIGNAL mode it takes about a millisecond for each GiB, at most, whatever was written
 * (docs/bench.md), where Linux can move page tables so: it has UFFD_FEATURE_EVENT_REMAP, the process has room for a second
 * range of addresses, and the region isn't locked. Then the pages are out of Linux's reach, as evicted ones are, until they
 * are accessed or populated; the first snapshot of 2 MiB or more starts a thread, and what mlock(2), mprotect(2) or
 * madvise(2) do to such pages may be lost. Elsewhere, and in HANDLER mode, the right to write is withdrawn from the pages in
 * memory that were written since the last. It is memory of its own, of the same mode, and may be written, also where that one
 * may not, and snapshot itself. ERR_VM_INVALID_REGION; ERR_UNSUPPORTED: the region writes to a store or was mapped
 * QUIRE_READ_ONLY, has pinned pages, or parts of it are protected and others not; ERR_NO_MEMORY;
 * ERR_VM_WOULD_OVERCOMMIT: all of it may differ some day, and the budget and the swap have no room for as much again
 * (quire_add_swap, or options.overcommit). */
int quire_snapshot(void *address, void **snapshot);

/* ---- ranges ------------------------------------------------------------------------------------- */
/* Any part of one region, widened to whole pages. ERR_VM_INVALID_REGION: it isn't in one. ERR_INVALID_ARGS:
 * size 0. */

/* Reading only, or writing again. ERR_PERMISSION_DENIED: it was mapped QUIRE_READ_ONLY. ERR_NO_MEMORY: also if so many
 * parts of regions differ that promised memory might find no room beside what they take. */
int quire_protect(void *address, size_t size, bool writable);
/* All pages are in memory and shown when it returns, as far as others leave them there; `write`: and may be
 * written. For system calls, in SIGNAL mode. A page may not be written again, until it faults or is populated, after
 * a flush, quire_changed, a snapshot or an eviction; nor, after the last two, read. The error of the first that can't be;
 * ERR_NO_MEMORY, where the range is no more than a quarter of the budget: not all could be shown at once, since others need the room, or a
 * snapshot shows more than some dozens of them, too (then for writing they can be). */
int quire_populate(void *address, size_t size, bool write);
/* Pages are read as far as there is room, so that a fault finds them. */
int quire_prefetch(void *address, size_t size);
/* Pages are in memory, shown, and stay until they are unpinned. Needed in each mode for what Linux goes on
 * using past its page tables: buffers registered with io_uring, O_DIRECT, vmsplice. What it then writes is a change
 * only if the page may be written: after a flush, populate it first. ERR_NO_MEMORY: also if more than three quarters
 * of the budget would be, or less where without overcommit large regions were promised their structures. After any
 * error those are pinned that were before. */
int quire_pin(void *address, size_t size);
int quire_unpin(void *address, size_t size);
/* What is modified is written to the store; it stays in memory. The store's error. Others may write meanwhile:
 * their writes are in the store, or in the next flush. An error of the store is of the pages that it can't write, which
 * stay modified: what can't be written together is written page by page, until 32 writes in a row have failed. What lies behind the end of a store that has become shorter
 * stays in memory, and is no error, here and in quire_unmap, where it is lost, as with mmap(2). */
int quire_flush(void *address, size_t size);
/* Pages leave memory, after they were written if they have to be. */
int quire_evict(void *address, size_t size);
/* VM_ADVICE_* of <quire/vm.h>. */
int quire_advise(void *address, size_t size, int advice);
/* For each page a byte: whether it was written since this was asked last, or since the region was mapped. */
int quire_changed(void *address, size_t size, unsigned char *changed);
/* The limit of a region that is mapped; 0: none. Takes effect with the faults that follow. */
int quire_set_limit(void *address, size_t limit);

/* ---- files for <quire/vspace.h> ------------------------------------------------------------------ */

/* The regular file or block device that is open as `descriptor`, which must stay open, as vspace.h's handle of a
 * file. ERR_INVALID_ARGS: it is none, or what is written to it is appended (O_APPEND); ERR_NO_MEMORY;
 * ERR_UNSUPPORTED: not in VSPACE mode. */
int quire_open_file(int descriptor, void **file);
/* No object may have it any more. ERR_INVALID_ARGS (NULL), ERR_UNSUPPORTED. */
int quire_close_file(void *file);

/* ---- figures ------------------------------------------------------------------------------------ */

struct quire_info {
    enum quire_mode mode;
    size_t budget, frames, free_frames; /* bytes; pages */
    size_t regions, modified, wired;
    uint64_t faults, read, written, evicted,
        copied; /* pages, but for the faults (with those of reading ahead), since the start */
    uint64_t poisoned, read_errors, write_errors;
};

/* ERR_INVALID_ARGS (NULL). */
int quire_get_info(struct quire_info *info);

#ifdef __cplusplus
}
#endif

#endif
