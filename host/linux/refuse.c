/* SPDX-License-Identifier: MIT */
/* Accesses that fail in HANDLER mode. Linux can only be told that a page is bad, and not when the thread has had its
 * signal; so it stays bad for some time, after which the next access asks Quire again. A thread that comes so late
 * that it has had no signal yet asks once more, too. */
#include "linux.h"

#include <sched.h>
#include <sys/mman.h>

#define MS 1000000u
#define BAD_FOR (20 * MS)
#define MOST 64

static struct bad_page {
    addr_t at;
    uint64_t until;
    bool has_no_rights;      /* as this kernel can't do better (before 6.6) */
} bad[MOST];                 /* a ring, the oldest first */
static size_t oldest, count; /* count: atomic */
static uint32_t bad_lock;

void refuse_start(void)
{
    oldest = count = 0;
    bad_lock = 0;
}

/* ---- the end of it ------------------------------------------------------------------------------ */

/* Its region may have gone meanwhile. */
static void give_rights(addr_t address)
{
    struct vm_owner found;
    if (vm_find_owner(process.aid, address, &found) != VM_OK || found.base > address)
        return;
    int rights = PROT_READ | (found.lock & LOCK_RW ? PROT_WRITE : 0);
    (void)mprotect((void *)address, VM_PAGE_SIZE, rights);
}

static void end_bad(const struct bad_page *page)
{
    if (page->has_no_rights) {
        give_rights(page->at);
        return;
    }
    lock(place_lock_of(page->at));
    if (place_find(page->at) == NO_NODE)
        zap_page(page->at);
    unlock(place_lock_of(page->at));
}

/* The oldest, if its time is over, or its place is needed. False: there is none. */
static bool take_oldest(uint64_t now, size_t most, struct bad_page *taken)
{
    bool is_due;
    lock(&bad_lock);
    is_due = count > 0 && (bad[oldest].until <= now || count >= most);
    if (is_due) {
        *taken = bad[oldest];
        oldest = (oldest + 1) % MOST;
        __atomic_store_n(&count, count - 1, __ATOMIC_RELAXED);
    }
    unlock(&bad_lock);
    return is_due;
}

/* In whole milliseconds, rounded up. */
static int time_to_oldest(uint64_t now)
{
    int pause = -1;
    lock(&bad_lock);
    if (count > 0)
        pause = bad[oldest].until > now ? (int)((bad[oldest].until - now) / MS) + 1 : 0;
    unlock(&bad_lock);
    return pause;
}

int refuse_end_due(void)
{
    struct bad_page page;
    if (__atomic_load_n(&count, __ATOMIC_RELAXED) == 0)
        return -1;
    uint64_t now = host_time_ns();
    while (take_oldest(now, SIZE_MAX, &page))
        end_bad(&page);
    return time_to_oldest(now);
}

/* ---- its beginning ------------------------------------------------------------------------------ */

static bool add(const struct bad_page *page)
{
    bool fits;
    lock(&bad_lock);
    fits = count < MOST;
    if (fits) {
        bad[(oldest + count) % MOST] = *page;
        __atomic_store_n(&count, count + 1, __ATOMIC_RELAXED);
    }
    unlock(&bad_lock);
    return fits;
}

/* => window locked. Sets *page where it is done. */
static int make_bad(addr_t address, struct bad_page *page)
{
    uint32_t node = place_find(address);
    if (node != NO_NODE && clear_place(node) != FILL_DONE)
        return FILL_AGAIN;
    zap_page(address);
    *page = (struct bad_page){.at = address, .has_no_rights = !uffd_poison(address)};
    if (page->has_no_rights)
        (void)mprotect((void *)address, VM_PAGE_SIZE, PROT_NONE);
    return FILL_DONE;
}

static int make_bad_locked(addr_t address, struct bad_page *page)
{
    uint32_t *word = place_lock_of(address);
    lock(word);
    int result = make_bad(address, page);
    unlock(word);
    return result;
}

void refuse(addr_t address)
{
    struct bad_page page, other;
    while (make_bad_locked(address, &page) != FILL_DONE)
        sched_yield();
    uint64_t now = host_time_ns();
    page.until = now + BAD_FOR;
    while (!add(&page))
        if (take_oldest(now, MOST, &other))
            end_bad(&other);
}
