/* SPDX-License-Identifier: MIT */
/* Taking the right to write from much at once. To write-protect a page costs Linux as much as any other change of its
 * entry. So a range goes away as a whole: mremap moves its page tables to a second range at the same distance, one entry
 * for each 2 MiB or 1 GiB, whatever was written. Who accesses a page there faults; then its chunk is write-protected where
 * it is, out of everybody's reach, and comes back.
 *
 *   HERE -> LEAVING   all windows locked, by who has transition_lock
 *   LEAVING -> AWAY   it has been moved; -> HERE: somebody keeps one of the range, or Linux can't
 *   AWAY -> HERE      by who has transition_lock
 *
 * A userfaultfd loses what it has protected where memory moves, unless it has asked to be told: then Linux ends the move
 * when a thread has read the message, and moves whole tables (mm/mremap.c: vma_has_uffd_without_event_remap). */
#include "regions.h"
#include "uapi.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HERE = 0, LEAVING, AWAY };

#define ALIGNMENT                                                                                  \
    ((addr_t)1 << 30) /* of the distance: what one entry of a table of tables covers */

size_t away_count;
static uint32_t transition_lock; /* before the windows' */
static uint8_t *states;          /* of chunks */
static uint32_t *keepers;        /* of chunks: who needs it where it is */
static void *second_range;
static size_t second_size;
static addr_t
    distance; /* from a chunk's place to where it is while it is away; 0: none goes; atomic */
static bool is_prepared; /* or that has failed */
static struct {
    addr_t first, end;
} allowed;
static int stop_fd = -1;
static uint32_t reader_runs;

static size_t chunk_of(addr_t address)
{
    return (address - process.base) / CHUNK_SIZE;
}

static uint8_t state_of(addr_t address)
{
    return __atomic_load_n(&states[chunk_of(address)], __ATOMIC_SEQ_CST);
}

static void set_state(addr_t address, uint8_t state)
{
    __atomic_store_n(&states[chunk_of(address)], state, __ATOMIC_SEQ_CST);
}

/* ---- the thread that reads of moves ------------------------------------------------------------- */

static int read_messages(void *unused)
{
    struct pollfd wait[2] = {{process.uffd[QUIRE_MODE_SIGNAL], POLLIN, 0}, {stop_fd, POLLIN, 0}};
    (void)unused;
    while (!(wait[1].revents & POLLIN)) {
        struct qu_message message;
        if (read(wait[0].fd, &message, sizeof message) < 0)
            (void)poll(wait, 2, -1);
    }
    __atomic_store_n(&reader_runs, 0, __ATOMIC_RELEASE);
    host_wake(&reader_runs, 1);
    return 0;
}

static bool start_reader(void)
{
    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    reader_runs = stop_fd >= 0;
    if (stop_fd >= 0 && host_thread_create("moves", read_messages, NULL) == VM_OK)
        return true;
    reader_runs = 0;
    away_forget();
    return false;
}

static void stop_reader(void)
{
    uint64_t one = 1;
    if (__atomic_load_n(&reader_runs, __ATOMIC_ACQUIRE) != 0 &&
        write(stop_fd, &one, sizeof one) != (ssize_t)sizeof one)
        panic("the reader of moves can't be told to end", errno);
    while (__atomic_load_n(&reader_runs, __ATOMIC_ACQUIRE) != 0)
        (void)host_wait(&reader_runs, 1, VM_NO_DEADLINE, false);
}

/* ---- start and end ------------------------------------------------------------------------------ */

static size_t size_of_states(void)
{
    return process.size / CHUNK_SIZE * (sizeof *states + sizeof *keepers);
}

static void *reserve(size_t size)
{
    void *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    (void)madvise(at, size, MADV_DONTFORK);
    return at;
}

/* As large as the range of regions, and as much again is left to the program. */
static bool reserve_second(void)
{
    second_size = process.size + ALIGNMENT;
    second_range = reserve(2 * second_size);
    if (!second_range)
        return false;
    munmap((char *)second_range + second_size, second_size);
    return true;
}

static bool reserve_states(void)
{
    void *at = reserve(size_of_states());
    if (!at)
        return false;
    if (mprotect(at, size_of_states(), PROT_READ | PROT_WRITE) != 0) {
        munmap(at, size_of_states());
        return false;
    }
    (void)madvise(at, size_of_states(), MADV_NOHUGEPAGE);
    keepers = at;
    states = (uint8_t *)(keepers + process.size / CHUNK_SIZE);
    return true;
}

static void unreserve_second(void)
{
    if (second_range && !moves_are_lost())
        munmap(second_range, second_size);
    second_range = NULL;
}

/* In a child of fork all of it may be as it was in the parent, whose memory isn't here. */
void away_start(void)
{
    transition_lock = 0;
    second_range = NULL;
    keepers = NULL;
    away_count = 0;
    distance = 0;
    moves_start();
    away_allow(0, 0);
    is_prepared = !reserve_states();
}

void away_stop(void)
{
    stop_reader();
    away_forget();
    unreserve_second();
    if (keepers)
        munmap(keepers, size_of_states());
    keepers = NULL;
}

/* The least by which whole tables of tables go to the second range. */
static addr_t distance_of_second(void)
{
    addr_t least = (addr_t)second_range - process.base; /* less than 0 where that is below */
    return (least + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

void away_prepare(void)
{
    if (is_prepared)
        return;
    is_prepared = true;
    if (!(process.features[QUIRE_MODE_SIGNAL] & QU_FEATURE_EVENT_REMAP) || !reserve_second())
        return;
    if (start_reader())
        __atomic_store_n(&distance, distance_of_second(), __ATOMIC_RELEASE);
    else
        unreserve_second();
}

void away_forget(void)
{
    if (stop_fd >= 0)
        close(stop_fd);
    stop_fd = -1;
    reader_runs = 0;
}

/* ---- who needs a chunk where it is -------------------------------------------------------------- */

bool away_is_slow(addr_t address)
{
    return state_of(address) != HERE;
}

/* Counted first, then looked: who moves it says so first, then looks for keepers. */
static void keep(addr_t address)
{
    if (keepers)
        __atomic_fetch_add(&keepers[chunk_of(address)], 1, __ATOMIC_SEQ_CST);
}

void away_keep(addr_t address)
{
    keep(address);
    (void)away_return(address);
}

bool away_try_keep(addr_t address)
{
    keep(address);
    if (away_try_return(address))
        return true;
    away_let(address);
    return false;
}

void away_let(addr_t address)
{
    if (keepers)
        __atomic_fetch_sub(&keepers[chunk_of(address)], 1, __ATOMIC_RELEASE);
}

void away_keep_all(addr_t first, addr_t end)
{
    for (addr_t at = first & ~(CHUNK_SIZE - 1); at < end; at += CHUNK_SIZE)
        away_keep(at);
}

void away_let_all(addr_t first, addr_t end)
{
    for (addr_t at = first & ~(CHUNK_SIZE - 1); at < end; at += CHUNK_SIZE)
        away_let(at);
}

/* ---- going -------------------------------------------------------------------------------------- */

void away_allow(addr_t base, addr_t size)
{
    __atomic_store_n(&allowed.end, 0, __ATOMIC_SEQ_CST); /* none, while it changes */
    __atomic_store_n(&allowed.first, base, __ATOMIC_SEQ_CST);
    __atomic_store_n(&allowed.end, base + size, __ATOMIC_SEQ_CST);
}

bool away_is_allowed(addr_t first, addr_t end)
{
    return __atomic_load_n(&distance, __ATOMIC_ACQUIRE) != 0 && !moves_are_lost() &&
           first % CHUNK_SIZE == 0 && first < end &&
           first >= __atomic_load_n(&allowed.first, __ATOMIC_SEQ_CST) &&
           end <= __atomic_load_n(&allowed.end, __ATOMIC_SEQ_CST);
}

static void set_states(addr_t first, addr_t end, uint8_t state)
{
    for (addr_t at = first; at < end; at += CHUNK_SIZE)
        set_state(at, state);
}

static bool are_kept(addr_t first, addr_t end)
{
    uint32_t count = 0;
    for (addr_t at = first; at < end; at += CHUNK_SIZE)
        count |= __atomic_load_n(&keepers[chunk_of(at)], __ATOMIC_SEQ_CST) | (state_of(at) == AWAY);
    return count != 0;
}

/* => all windows locked */
static bool go(addr_t first, addr_t end)
{
    size_t chunks = (end - first) / CHUNK_SIZE;
    if (are_kept(first, end))
        return false;
    __atomic_fetch_add(&away_count, chunks, __ATOMIC_SEQ_CST);
    set_states(first, end, LEAVING);
    if (!are_kept(first, end) && move_away(first, first + distance, end - first)) {
        set_states(first, end, AWAY);
        return true;
    }
    set_states(first, end, HERE);
    __atomic_fetch_sub(&away_count, chunks, __ATOMIC_SEQ_CST);
    return false;
}

bool away_go(addr_t first, addr_t end)
{
    lock(&transition_lock);
    place_lock_all();
    bool gone = go(first, end);
    place_unlock_all();
    unlock(&transition_lock);
    return gone;
}

/* ---- coming back -------------------------------------------------------------------------------- */

#define TRIES 1000

static void bring(addr_t chunk)
{
    for (int i = 0; i < TRIES; i++) {
        if (move_back(chunk + distance, chunk))
            return;
        sched_yield();
    }
    panic("what went away for a snapshot can't come back: Linux says", errno);
}

/* Those of the pages that could be written when they went. */
static void protect(addr_t first, addr_t end)
{
    size_t count = page_bits_count(&writable_pages, first, end);
    if (count * ENTRIES_OF_A_CALL >= (end - first) / VM_PAGE_SIZE) {
        uffd_protect_moved(first + distance, end - first);
        return;
    }
    for (addr_t at = first; (at = page_bits_next(&writable_pages, at, end)) < end;
         at += VM_PAGE_SIZE)
        uffd_protect_moved(at + distance, VM_PAGE_SIZE);
}

/* => transition_lock */
static bool bring_back(addr_t address)
{
    addr_t chunk = address & ~(CHUNK_SIZE - 1);
    if (state_of(chunk) != AWAY)
        return false;
    protect(chunk, chunk + CHUNK_SIZE);
    page_bits_clear(&writable_pages, chunk, chunk + CHUNK_SIZE);
    bring(chunk);
    set_state(chunk, HERE);
    __atomic_fetch_sub(&away_count, 1, __ATOMIC_SEQ_CST);
    return true;
}

bool away_return(addr_t address)
{
    if (!away_is(address))
        return false;
    lock(&transition_lock);
    bool returned = bring_back(address);
    unlock(&transition_lock);
    return returned;
}

void away_return_all(addr_t first, addr_t end)
{
    for (addr_t at = first & ~(CHUNK_SIZE - 1); at < end; at += CHUNK_SIZE)
        (void)away_return(at);
}

void away_end(addr_t base, addr_t size)
{
    away_return_all(base, base + size);
    if (distance != 0 && !moves_are_lost())
        (void)region_hide(base + distance, size);
}

bool away_try_return(addr_t address)
{
    if (!away_is(address))
        return true;
    if (!try_lock(&transition_lock))
        return false;
    (void)bring_back(address);
    unlock(&transition_lock);
    return true;
}
