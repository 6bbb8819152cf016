/* SPDX-License-Identifier: MIT */
/* Quire in this process: its start and its end. */
#include "memory_limit.h"
#include "regions.h"

#include <quire/vspace.h>

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGEST_RANGE ((addr_t)1 << 40)
#define SMALLEST_RANGE ((addr_t)16 << 20)
#define SMALLEST_BUDGET ((size_t)1 << 20)
#define MOST_HANDLERS 16
#define LOCK_SPINS 100 /* some microseconds, as Linux takes for a thread that sleeps */
#define AHEAD_SHARE 20
#define SMALL_READ (256 * 1024)
#define LARGE 8192 /* frames, from which on the small things are of their full number */

struct process process = {.uffd = {-1, -1, -1}};
static const char *why = "";
static void *range;
static size_t range_size;
static bool forks_are_watched;

/* ---- the range of regions ----------------------------------------------------------------------- */

/* MAP_FAILED: no room. At `base`, where that isn't 0. */
static void *reserve(addr_t base, addr_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *at = mmap((void *)base, size, PROT_NONE, flags | (base ? MAP_FIXED_NOREPLACE : 0), -1, 0);
    if (base && at != MAP_FAILED && (addr_t)at != base) { /* before Linux 4.17 */
        munmap(at, size);
        return MAP_FAILED;
    }
    if (at != MAP_FAILED && process.mode != QUIRE_MODE_VSPACE)
        (void)madvise(at, size, MADV_DONTFORK);
    return at;
}

static int reserve_given(addr_t base, addr_t size)
{
    range = reserve(base, size);
    range_size = size;
    process.base = base;
    process.size = size;
    return range == MAP_FAILED ? ERR_VM_NO_REGION_SLOT : VM_OK;
}

/* As large as the limits of the process allow, and leave as much again to the program. */
static int reserve_range(void)
{
    for (addr_t size = LARGEST_RANGE; size >= SMALLEST_RANGE; size /= 2) {
        range_size = size + UNIT_SIZE;
        range = reserve(0, 2 * range_size);
        if (range == MAP_FAILED)
            continue;
        munmap((char *)range + range_size, range_size);
        process.base = ((addr_t)range + UNIT_SIZE - 1) & ~(UNIT_SIZE - 1);
        process.size = size;
        return VM_OK;
    }
    return ERR_NO_MEMORY;
}

/* ---- frames ------------------------------------------------------------------------------------- */

static size_t at_least(size_t least, size_t most)
{
    size_t share = process.frames / 128;
    return process.frames >= LARGE || share > most ? most : share < least ? least : share;
}

/* How much is read ahead at once, and spares for a few such reads: some per cent of a budget that is large enough for one,
 * else none, and clusters are read into those of faults. */
static size_t spares_ahead(size_t pages)
{
    size_t share = process.mode == QUIRE_MODE_VSPACE ? 0 : pages / AHEAD_SHARE;
    process.ahead =
        share >= MOST_READERS * VM_MOST_AHEAD ? VM_MOST_AHEAD : SMALL_READ / VM_PAGE_SIZE;
    size_t reads = share / process.ahead;
    if (reads == 0)
        process.ahead = CLUSTER / VM_PAGE_SIZE;
    return (reads < MOST_READERS ? reads : MOST_READERS) * process.ahead;
}

/* The budget pays for the tables of places, too, and for the spares of what is read ahead. */
static int divide_budget(size_t budget)
{
    size_t pages = budget / VM_PAGE_SIZE;
    if (pages > UINT32_MAX / 2)
        return ERR_INVALID_ARGS;
    size_t ahead = spares_ahead(pages);
    process.frames = pages;
    while ((process.frames + ahead) * VM_PAGE_SIZE + place_bytes(process.frames) > budget)
        process.frames -= 1 + process.frames / 512;
    process.spares = at_least(16, PAGES_AT_ONCE) + ahead;
    process.batch = at_least(8, PAGES_AT_ONCE);
    process.replicas = at_least(8, PAGES_AT_ONCE);
    return VM_OK;
}

static int start_bits(void)
{
    int error = page_bits_start(&written_pages);
    if (error == VM_OK && (error = page_bits_start(&writable_pages)) != VM_OK)
        page_bits_stop(&written_pages);
    if (error == VM_OK)
        away_start();
    return error;
}

static void stop_bits(void)
{
    away_stop();
    page_bits_stop(&writable_pages);
    page_bits_stop(&written_pages);
}

static int start_places(void)
{
    int error = arena_start();
    if (error != VM_OK)
        return error;
    place_start(arena_tables());
    frames_start();
    pending_start();
    replica_start();
    return VM_OK;
}

/* ---- the core ----------------------------------------------------------------------------------- */

#define KERNEL_BASE ((addr_t)0xffffff8000000000)

/* A program gets no thread that it hasn't asked for: the first one makes each of its calls of Linux dearer. */
static int start_threads(kernel_args *ka)
{
    return ka->page_daemons == 0 ? VM_OK : vm_init_postthread(ka);
}

static int start_core(const struct quire_options *options)
{
    kernel_args ka = {.physical_memory_ranges = 1,
                      .physical_memory_range = {{physical_of(0), process.frames * VM_PAGE_SIZE}},
                      .format = &vm_tmap_x86_64,
                      .kernel_base = KERNEL_BASE,
                      .kernel_size = UNIT_SIZE,
                      .kernel_alloc_base = KERNEL_BASE,
                      .user_base = process.base,
                      .user_size = process.size,
                      .num_cpus = 1,
                      .overcommit = options->overcommit,
                      .policy = options->policy,
                      .page_daemons = options->daemons,
                      .lock_spins = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? LOCK_SPINS : 0,
                      .frames = process.mode == QUIRE_MODE_VSPACE ? NULL : &frame_hooks};
    int error = vm_init(&ka);
    if (error == VM_OK)
        error = vm_init_postsem(&ka);
    if (error == VM_OK)
        error = start_threads(&ka);
    if (error != VM_OK)
        return error;
    process.aid = vm_create_aspace("process", process.base, process.size, false);
    if (process.aid < 0)
        return (int)process.aid;
    process.aspace = vm_get_aspace_by_id(process.aid);
    process.root = vm_enter_aspace(process.aspace, 0);
    return VM_OK;
}

/* Whether everything was given back. */
static bool stop_core(void)
{
    struct vm_leftovers left;
    if (process.aspace) {
        vm_leave_aspace(process.aspace, 0);
        vm_put_aspace(process.aspace);
        (void)vm_delete_aspace(process.aid);
        process.aspace = NULL;
    }
    vm_shutdown(&left);
    return left.aspaces + left.regions + left.caches + left.pages + left.metadata_bytes +
                   left.threads + left.swap_slots ==
               0 &&
           left.committed == 0;
}

/* ---- start and end ------------------------------------------------------------------------------ */

/* In a child there is nothing to page, and nobody who would. */
static void forget(void)
{
    vspace_forget();
    if (!process.running)
        return;
    process.running = 0;
    process.aspace = NULL;
    if (process.mode == QUIRE_MODE_VSPACE) {
        munmap(range, range_size);
        show_forget();
    }
    uffd_stop();
    handler_forget();
    away_forget();
    readers_start();
}

static int take_faults(enum quire_mode mode)
{
    return mode == QUIRE_MODE_HANDLER ? handler_start() : signal_start();
}

static bool takes_signals(void)
{
    return process.uffd[QUIRE_MODE_SIGNAL] >= 0 || process.mode == QUIRE_MODE_VSPACE;
}

static void leave_faults(void)
{
    if (process.uffd[QUIRE_MODE_HANDLER] >= 0)
        handler_stop();
    if (takes_signals())
        signal_stop();
}

int faults_start(enum quire_mode mode)
{
    if (process.uffd[mode] >= 0)
        return VM_OK;
    int error = uffd_open(mode, &why);
    if (error == VM_OK && (error = take_faults(mode)) != VM_OK)
        uffd_close(mode);
    return error;
}

#define END_OF_PROGRAMS ((addr_t)1 << 47) /* where tables have four levels, as the core's */

static bool is_range(addr_t base, addr_t size)
{
    return (base == 0) == (size == 0) && (base | size) % UNIT_SIZE == 0 && base < END_OF_PROGRAMS &&
           size <= END_OF_PROGRAMS - base;
}

static int check(const struct quire_options *options)
{
    return options && is_range((addr_t)options->base, options->range) &&
                   options->budget >= SMALLEST_BUDGET && options->daemons <= VM_MAX_PAGE_DAEMONS &&
                   options->handlers <= MOST_HANDLERS &&
                   (unsigned)options->mode <= QUIRE_MODE_VSPACE
               ? VM_OK
               : ERR_INVALID_ARGS;
}

/* What was started goes in the opposite order; `steps` are how far it came. */
static bool undo(unsigned steps)
{
    bool clean = true;
    if (steps > 5)
        leave_faults();
    if (steps > 4) {
        region_memory_stop();
        clean = stop_core();
    }
    if (steps > 3)
        arena_stop();
    if (steps > 2)
        stop_bits();
    if (steps > 1)
        regions_stop();
    if (steps > 0)
        munmap(range, range_size);
    uffd_stop();
    return clean;
}

static int start(const struct quire_options *options)
{
    unsigned steps = 0;
    int error = process.mode == QUIRE_MODE_VSPACE ? VM_OK : uffd_open(process.mode, &why);
    if (error == VM_OK)
        error =
            options->base ? reserve_given((addr_t)options->base, options->range) : reserve_range();
    if (error == VM_OK)
        steps = 1;
    if (steps == 1 && (error = regions_start()) == VM_OK)
        steps = 2;
    if (steps == 2 && (error = start_bits()) == VM_OK)
        steps = 3;
    if (steps == 3 && (error = start_places()) == VM_OK)
        steps = 4;
    if (steps == 4) {
        steps = 5;
        error = start_core(options);
    }
    self_start(options->upcall, options->upcall_argument);
    if (error == VM_OK)
        error = take_faults(process.mode);
    if (error != VM_OK)
        (void)undo(steps);
    return error;
}

static void warn_of_limit(size_t budget)
{
    struct memory_limit limit;
    memory_limit_read("/proc/self/cgroup", "/proc/self/mountinfo", &limit);
    if (budget >= limit.max)
        why = "the budget is no less than a memory cgroup lets this process have: when it is used, "
              "Linux swaps or "
              "ends the process; quire doctor says how much that is";
}

int quire_start(const struct quire_options *options)
{
    int error = check(options);
    if (error != VM_OK || process.running)
        return ERR_INVALID_ARGS;
    process.mode = options->mode == QUIRE_MODE_AUTO ? QUIRE_MODE_SIGNAL : options->mode;
    process.handlers = options->handlers ? options->handlers : 2;
    process.budget = options->budget;
    process.overcommit = options->overcommit;
    process.aspace = NULL;
    process.is_ending = false;
    why = "";
    log_start();
    region_memory_start();
    store_start();
    ahead_start();
    readers_start();
    error = divide_budget(options->budget);
    if (error == VM_OK)
        error = start(options);
    if (error != VM_OK)
        return error;
    if (!forks_are_watched)
        pthread_atfork(NULL, NULL, forget);
    forks_are_watched = true;
    warn_of_limit(options->budget);
    __atomic_store_n(&process.running, 1, __ATOMIC_RELEASE);
    return VM_OK;
}

int quire_stop(void)
{
    struct call call;
    int error = call_begin_with_regions(&call), lost;
    if (error != VM_OK)
        return error;
    process.is_ending = true;
    lost = regions_leave();
    readers_stop();
    __atomic_store_n(&process.running, 0, __ATOMIC_RELEASE);
    error = undo(6) ? lost : ERR_VM_GENERAL;
    return call_end_with_regions(&call, error);
}

const char *quire_why(void)
{
    return why;
}

int quire_check(void)
{
    struct call call;
    int error = call_begin(&call);
    if (error != VM_OK)
        return error;
    if (takes_signals() && !signal_is_ours()) {
        why = process.mode == QUIRE_MODE_VSPACE
                  ? "SIGSEGV has another handler, installed since quire_start"
                  : "SIGBUS has another handler, installed since quire_start";
        error = ERR_UNSUPPORTED;
    } else if (takes_signals() && sigismember(&call.before, signal_of_faults())) {
        why = process.mode == QUIRE_MODE_VSPACE ? "SIGSEGV is blocked in this thread"
                                                : "SIGBUS is blocked in this thread";
        error = ERR_UNSUPPORTED;
    }
    return call_end(&call, error);
}

enum quire_mode quire_mode(void)
{
    return process.mode;
}

int quire_add_swap(vm_store *store, size_t pages, const char *name)
{
    struct call call;
    struct quire_policy policy = {0};
    int error = call_begin(&call);
    if (error != VM_OK)
        return error;
    if (process.mode == QUIRE_MODE_VSPACE)
        return call_end(&call, ERR_UNSUPPORTED);
    if (!store || !store->ops || !store->ops->read || !store->ops->write || !store->ops->destroy)
        return call_end(&call, ERR_INVALID_ARGS);
    vm_store *wrapped;
    error = store_wrap(store, &policy, &wrapped);
    if (error != VM_OK)
        return call_end(&call, error);
    if (!process.overcommit && pages <= INT64_MAX / VM_PAGE_SIZE)
        error = store_promise(wrapped, (off_t)(pages * VM_PAGE_SIZE));
    if (error == VM_OK)
        error = vm_swap_add(wrapped, pages, name);
    if (error != VM_OK)
        store_unwrap(wrapped);
    return call_end(&call, error);
}

int quire_get_info(struct quire_info *info)
{
    struct call call;
    int error = call_begin(&call);
    if (error != VM_OK)
        return error;
    if (!info)
        return call_end(&call, ERR_INVALID_ARGS);
    const struct store_figures *stores = store_figures();
    vm_info core;
    vm_get_info(&core);
    *info = (struct quire_info){
        .mode = process.mode,
        .budget = process.budget,
        .frames = process.frames,
        .free_frames = core.free_pages + core.clear_pages,
        .regions = core.regions,
        .modified = core.modified_pages + core.modified_temporary_pages,
        .wired = core.wired_pages,
        .faults = core.page_faults,
        .read = core.page_ins,
        .written = core.page_outs + core.swap_outs,
        .evicted = core.evictions,
        .copied = core.copies,
        .poisoned = __atomic_load_n(&stores->poisoned, __ATOMIC_RELAXED),
        .read_errors = __atomic_load_n(&stores->read_errors, __ATOMIC_RELAXED),
        .write_errors = __atomic_load_n(&stores->write_errors, __ATOMIC_RELAXED)};
    return call_end(&call, VM_OK);
}
