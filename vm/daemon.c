/* SPDX-License-Identifier: MIT */
/* Who reclaims, and who waits: the page daemons, and those whose allocation has failed. */
#include "reclaim.h"

#include <quire/host.h>

#include "pagein.h"
#include "print.h"
#include "system.h"
#include "writeback.h"

#define RECLAIM (&vm_system.reclaim)
#define POOL (&vm_system.pages)

#define SECOND ((uint64_t)1000000000)
#define WAIT_FOR_OTHERS (SECOND / 10)
#define MOST_WAITS 50   /* five seconds: a store that hangs must not hang everybody */
#define MOST_TRIES 1000 /* what is freed, others take, or it was this one's own */
#define WANTED 32       /* frames, by who needs one: two batches */
#define BEYOND 16       /* frames, by who needs several, for who comes next */

/* ---- who waits ---------------------------------------------------------------------------------- */

void reclaim_note_shortage(struct reclaim_attempt *attempt)
{
    attempt->shortage = vm_atomic_load(&POOL->shortage, __ATOMIC_RELAXED);
}

/* Pages that have come or gone, by whoever. Where that changes while this thread finds nothing to free, others
 * get on: it may be faster next time. */
static uint64_t progress(void)
{
    const struct vm_counters *counters = &vm_system.counters;
    return vm_atomic_load(&counters->evictions, __ATOMIC_RELAXED) +
           vm_atomic_load(&counters->page_ins, __ATOMIC_RELAXED) +
           vm_atomic_load(&counters->zero_fills, __ATOMIC_RELAXED) +
           vm_atomic_load(&counters->copies, __ATOMIC_RELAXED);
}

/* Somebody else may be about to free frames: pages are being written. Or he has by now, and a third one has taken
 * them: a page counts as gone, and its frame is free, before it no longer counts as busy. */
static int wait_for_frames(struct reclaim_attempt *attempt, int again, uint64_t before)
{
    uint32_t busy = vm_atomic_load(&vm_system.busy_pages, __ATOMIC_ACQUIRE);
    if (page_available() > 0 || progress() != before)
        return again;
    if (busy == 0 || attempt->waits++ >= MOST_WAITS)
        return ERR_NO_MEMORY;
    int error = VM_OK;
    VM_COUNT(reclaim_waits);
    vm_atomic_fetch_add(&POOL->waiting, 1, __ATOMIC_SEQ_CST);
    uint32_t seen = vm_atomic_load(&POOL->freed, __ATOMIC_ACQUIRE);
    if (page_available() == 0)
        error = host_wait(&POOL->freed, seen, host_time_ns() + WAIT_FOR_OTHERS, true);
    vm_atomic_fetch_sub(&POOL->waiting, 1, __ATOMIC_RELAXED);
    return error == ERR_INTERRUPTED ? error : again;
}

int reclaim_for(struct reclaim_attempt *attempt, int again)
{
    vm_assert_no_locks();
    if (vm_atomic_load(&POOL->shortage, __ATOMIC_RELAXED) == attempt->shortage)
        return ERR_NO_MEMORY; /* it wasn't frames that were short */
    if (attempt->tries++ >= MOST_TRIES) {
        reclaim_tell(true);
        return ERR_NO_MEMORY;
    }
    if (page_available() > 0)
        return again;
    uint64_t before = progress();
    (void)vm_reclaim(WANTED);
    return wait_for_frames(attempt, again, before);
}

void reclaim_ensure(void)
{
    if (__builtin_expect(page_available() == 0, 0))
        (void)vm_reclaim(WANTED);
}

/* The last frame is for who asked: see pagein_begin. */
void reclaim_ensure_pages(size_t pages)
{
    if (page_available() <= pages)
        (void)vm_reclaim(pages + BEYOND);
}

/* ---- the daemons -------------------------------------------------------------------------------- */

void reclaim_wake(void)
{
    if (vm_atomic_load(&RECLAIM->asleep, __ATOMIC_RELAXED) == 0)
        return;
    vm_atomic_fetch_add(&RECLAIM->wake, 1, __ATOMIC_RELEASE);
    host_wake(&RECLAIM->wake, UINT32_MAX);
}

static size_t free_frames(void)
{
    return POOL->count[VM_PAGE_FREE] + POOL->count[VM_PAGE_CLEAR];
}

/* Until there is enough again. False: nothing can be freed now. */
static bool refill(void)
{
    size_t freed = 1;
    while (freed > 0 && free_frames() < POOL->reserve.high &&
           vm_atomic_load(&RECLAIM->stop, __ATOMIC_RELAXED) == 0)
        freed = vm_reclaim(POOL->reserve.high - free_frames());
    return freed > 0;
}

/* Sleeps until it is wanted, or it is time to look after what is modified. Where nothing could be freed,
 * waking it doesn't help: only time may. */
static void rest(uint32_t seen, bool hopeless)
{
    if (hopeless) {
        (void)host_wait(&RECLAIM->stop, 0, host_time_ns() + WAIT_FOR_OTHERS, false);
        return;
    }
    uint64_t deadline = writeback_is_pending() ? host_time_ns() + SECOND : VM_NO_DEADLINE;
    vm_atomic_fetch_add(&RECLAIM->asleep, 1, __ATOMIC_SEQ_CST);
    if (free_frames() >= POOL->reserve.low) /* else nobody saw a daemon asleep */
        (void)host_wait(&RECLAIM->wake, seen, deadline, false);
    vm_atomic_fetch_sub(&RECLAIM->asleep, 1, __ATOMIC_RELAXED);
}

static int page_daemon(void *unused)
{
    (void)unused;
    uint32_t seen = vm_atomic_load(&RECLAIM->wake, __ATOMIC_ACQUIRE);
    while (vm_atomic_load(&RECLAIM->stop, __ATOMIC_ACQUIRE) == 0) {
        bool hopeless = !refill();
        writeback_old();
        reclaim_tell(false);
        rest(seen, hopeless);
        seen = vm_atomic_load(&RECLAIM->wake, __ATOMIC_ACQUIRE);
    }
    vm_atomic_fetch_sub(&RECLAIM->daemons, 1, __ATOMIC_RELEASE);
    host_wake(&RECLAIM->daemons, UINT32_MAX);
    return VM_OK;
}

int reclaim_start_daemons(unsigned count)
{
    int error = VM_OK;
    for (unsigned i = 0; i < count && error == VM_OK; i++) {
        vm_atomic_fetch_add(&RECLAIM->daemons, 1, __ATOMIC_RELAXED);
        error = VM_INJECT(VM_INJECT_THREAD) ? ERR_NO_MEMORY
                                            : host_thread_create("page_daemon", page_daemon, NULL);
        if (error != VM_OK)
            vm_atomic_fetch_sub(&RECLAIM->daemons, 1, __ATOMIC_RELAXED);
    }
    return error;
}

void reclaim_stop_daemons(void)
{
    uint32_t running;
    vm_atomic_store(&RECLAIM->stop, 1, __ATOMIC_RELEASE);
    vm_atomic_fetch_add(&RECLAIM->wake, 1, __ATOMIC_RELEASE);
    host_wake(&RECLAIM->wake, UINT32_MAX);
    host_wake(&RECLAIM->stop, UINT32_MAX);
    while ((running = vm_atomic_load(&RECLAIM->daemons, __ATOMIC_ACQUIRE)) != 0)
        (void)host_wait(&RECLAIM->daemons, running, VM_NO_DEADLINE, false);
    vm_atomic_store(&RECLAIM->stop, 0, __ATOMIC_RELEASE);
}
