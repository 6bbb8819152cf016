/* SPDX-License-Identifier: MIT */
#include "regions.h"

#include <pthread.h>
#include <sys/mman.h>

static struct region **units;
static uint8_t *modes; /* of units: enum quire_mode, of the last region there */
static uint32_t regions_lock;
static uint32_t
    leaving; /* regions that go; changed under the regions' lock, woken when one has gone */

static size_t size_of_units(void)
{
    return process.size / UNIT_SIZE * (sizeof *units + sizeof *modes);
}

int regions_start(void)
{
    regions_lock = leaving = 0;
    reserve_start();
    units = mmap(NULL, size_of_units(), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (units == MAP_FAILED)
        return ERR_NO_MEMORY;
    modes = (uint8_t *)(units + process.size / UNIT_SIZE);
    (void)madvise(units, size_of_units(), MADV_NOHUGEPAGE);
    (void)madvise(units, size_of_units(), MADV_DONTFORK);
    return VM_OK;
}

void regions_stop(void)
{
    munmap(units, size_of_units());
}

static size_t unit_number(addr_t address)
{
    return (address - process.base) / UNIT_SIZE;
}

static struct region **unit_of(addr_t address)
{
    return &units[unit_number(address)];
}

enum quire_mode region_mode(addr_t address)
{
    return __atomic_load_n(&modes[unit_number(address)], __ATOMIC_RELAXED);
}

struct region *region_of(addr_t address)
{
    if (!is_regions(address))
        return NULL;
    struct region *region = __atomic_load_n(unit_of(address), __ATOMIC_ACQUIRE);
    return region && address - region->base < region->size ? region : NULL;
}

static void set_units(const struct region *region, struct region *value)
{
    for (addr_t at = 0; at < region->size; at += UNIT_SIZE)
        __atomic_store_n(unit_of(region->base + at), value, __ATOMIC_RELEASE);
}

void region_insert(struct region *region)
{
    set_units(region, region);
}

void region_remove(struct region *region)
{
    set_units(region, NULL);
}

/* ---- in Linux's address space ------------------------------------------------------------------- */

/* Large regions begin where one entry of Linux's shows a table of tables: what goes away goes by these (away.c). */
#define WHOLE_TABLES ((addr_t)1 << 30)

int region_find_place(addr_t size, addr_t *base)
{
    addr_t whole = (size + UNIT_SIZE - 1) & ~(UNIT_SIZE - 1);
    if (whole < size || whole > process.size)
        return ERR_VM_NO_REGION_SLOT;
    addr_t end = process.base + process.size;
    if (whole >= WHOLE_TABLES &&
        vm_find_hole(process.aid, whole, WHOLE_TABLES, process.base, end, base) == VM_OK)
        return VM_OK;
    return vm_find_hole(process.aid, whole, UNIT_SIZE, process.base, end, base);
}

int region_hide(addr_t base, addr_t size)
{
    void *at = mmap((void *)base, size, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (at == MAP_FAILED || madvise(at, size, MADV_DONTFORK) != 0)
        return ERR_NO_MEMORY;
    return VM_OK;
}

/* Nothing is shown there any more. Where Linux has no room for another mapping this one stays, of no rights, if
 * that can be had: an access finds no region, in any case. */
static void unshow(addr_t base, addr_t size)
{
    if (region_hide(base, size) != VM_OK)
        (void)mprotect((void *)base, size, PROT_NONE);
}

int region_show(addr_t base, addr_t size, bool read_only, enum quire_mode mode)
{
    void *at = (void *)base;
    (void)madvise(at, size, MADV_NOHUGEPAGE);
    for (addr_t i = unit_number(base); i <= unit_number(base + (size - 1)); i++)
        __atomic_store_n(&modes[i], (uint8_t)mode, __ATOMIC_RELAXED);
    int error = uffd_register(mode, base, size);
    if (error == VM_OK && mprotect(at, size, PROT_READ | (read_only ? 0 : PROT_WRITE)) != 0)
        error = ERR_NO_MEMORY;
    if (error != VM_OK)
        unshow(base, size);
    return error;
}

/* A daemon may be at work on one of its pages still: then the store's end is that one's. Of what is private a
 * snapshot may need it much longer. */
static void put_cache(struct region *region)
{
    uint32_t ended = 0;
    bool waits = region->store && !region->is_private;
    if (waits)
        store_tell(region->store, &ended);
    if (region->cache)
        vm_put_cache(region->cache);
    while (waits && __atomic_load_n(&ended, __ATOMIC_ACQUIRE) == 0)
        (void)host_wait(&ended, 0, VM_NO_DEADLINE, false);
}

void region_delete(struct region *region)
{
    addr_t base = region->base, size = region->size;
    region_remove(region);
    int deleted = vm_unmap_range(process.aid, base, size); /* quire_protect splits the core's */
    if (deleted != VM_OK)
        panic("a region that isn't there is deleted", deleted);
    settle(base, base + (size - 1));
    page_bits_forget(&writable_pages, base, size);
    page_bits_forget(&written_pages, base, size);
    away_end(base, size);
    unshow(base, size);
    reserve_end(region);
}

void region_end(struct region *region)
{
    put_cache(region);
    region_free(region);
}

static int write_back(const struct region *region)
{
    return region->writes_store ? vm_cache_sync(region->cache, 0, INT64_MAX) : VM_OK;
}

/* Nobody finds the region any more, but the core has it: its addresses are nobody else's, and pages come as before.
 * It is written twice: the first time ends what others were writing, for which region_delete would wait with the lock;
 * the second has what was written meanwhile. */
int region_leave(struct region *region)
{
    region_remove(region);
    ahead_forbid(region);
    __atomic_fetch_add(&leaving, 1, __ATOMIC_RELAXED);
    unlock(&regions_lock);
    ahead_wait(region);
    int error = write_back(region);
    lock(&regions_lock);
    region_delete(region);
    unlock(&regions_lock);
    if (error == VM_OK)
        error = write_back(region);
    region_end(region);
    lock(&regions_lock);
    __atomic_fetch_sub(&leaving, 1, __ATOMIC_RELEASE);
    host_wake(&leaving, UINT32_MAX);
    return error;
}

/* => regions locked, let go meanwhile. The store of one that goes may be using another region. */
static void wait_for_leaving(void)
{
    uint32_t now;
    while ((now = leaving) != 0) {
        unlock(&regions_lock);
        (void)host_wait(&leaving, now, VM_NO_DEADLINE, false);
        lock(&regions_lock);
    }
}

static struct region *first_region(void)
{
    addr_t cookie = process.base;
    vm_region_info info;
    struct region *region = NULL;
    while (!region && vm_get_next_region_info(process.aid, &cookie, &info) == VM_OK)
        region = region_of(info.base);
    return region;
}

int regions_leave(void)
{
    struct region *region;
    int error = VM_OK;
    wait_for_leaving();
    while ((region = first_region()) != NULL) {
        int result = region_leave(region);
        error = error == VM_OK ? result : error;
        wait_for_leaving();
    }
    return error;
}

/* ---- faults ------------------------------------------------------------------------------------- */

bool region_has(addr_t address)
{
    uint8_t resident = 1;
    return vm_get_residency(process.aid, address, VM_PAGE_SIZE, &resident) != VM_OK || resident;
}

/* No more than memory, or the region's limit, has room for: else it would push out the page itself. */
static size_t granule_of(const struct region *region)
{
    size_t limit = __atomic_load_n(&region->limit, __ATOMIC_RELAXED);
    size_t size = region->granule, most = process.frames / 8;
    if (limit != 0 && limit / 4 < most)
        most = limit / 4;
    while (size > VM_PAGE_SIZE && size / VM_PAGE_SIZE > most)
        size /= 2;
    return size;
}

/* The granule's clusters, but for the one of the address. */
static void read_granule(const struct region *region, addr_t address, addr_t size)
{
    addr_t at = address & ~(size - 1), end = at + size;
    if (end > region->base + region->size)
        end = region->base + region->size;
    for (; at < end; at += CLUSTER)
        if (at != (address & ~(CLUSTER - 1)) && !region_has(at))
            (void)vm_fault_aspace(process.aid, at,
                                  VM_ACCESS_READ | VM_ACCESS_USER | VM_ACCESS_CLUSTER);
}

/* Where a fault at the address would be followed by another, once this one's granule is there. */
static addr_t end_of_read(addr_t address, addr_t size)
{
    return (address & ~(size - 1)) + size;
}

#define WAS_EXPECTED 1u /* beside the address of a page */

/* Whether somebody was just before this page; where he would be next, with what is read by `size`, is noted. *again: it was so
 * before. No lock: it is a guess. */
static bool is_expected(struct region *region, addr_t address, addr_t size, bool *again)
{
    addr_t *expected = region->expected;
    for (unsigned i = 0; i < 4; i++) {
        addr_t value = __atomic_load_n(&expected[i], __ATOMIC_RELAXED);
        if (value - address > WAS_EXPECTED)
            continue;
        *again = value & WAS_EXPECTED;
        addr_t next = end_of_read(address, size > CLUSTER ? size : CLUSTER);
        __atomic_store_n(&expected[i], next | WAS_EXPECTED, __ATOMIC_RELAXED);
        return true;
    }
    uint32_t next = __atomic_fetch_add(&region->next_expected, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&expected[next % 4], end_of_read(address, size), __ATOMIC_RELAXED);
    return false;
}

/* Whether others were before it. What comes behind it is read ahead, where the region has a store. */
static bool is_in_sequence(struct region *region, addr_t address, addr_t size)
{
    bool again = false;
    if (region->granule == VM_PAGE_SIZE)
        return false;
    if (ahead_is_used() && ahead_fault(region, address))
        return true;
    bool expected = is_expected(region, address, size, &again);
    if (again && region->store)
        ahead_begin(region, address);
    return expected;
}

unsigned region_before_fault(struct region *region, addr_t address)
{
    size_t granule = region->granule == 0 ? VM_PAGE_SIZE : granule_of(region);
    bool in_sequence = is_in_sequence(region, address, granule);
    if (granule > CLUSTER && !region_has(address))
        read_granule(region, address, granule);
    return granule > VM_PAGE_SIZE || in_sequence ? VM_ACCESS_CLUSTER : 0;
}

/* A fault brings a cluster at most, or a granule. */
static size_t most_of(const struct region *region)
{
    size_t granule = granule_of(region);
    if (region->granule == VM_PAGE_SIZE)
        return 1;
    return (granule > CLUSTER ? granule : CLUSTER) / VM_PAGE_SIZE;
}

void region_after_fault(struct region *region, addr_t address, unsigned access)
{
    size_t limit = __atomic_load_n(&region->limit, __ATOMIC_RELAXED);
    if (limit != 0)
        limit_count(region, limit, most_of(region), address);
    if (region->granule != VM_PAGE_SIZE && !(access & VM_ACCESS_WRITE))
        fill_around(address, region->base, region->base + region->size);
}

/* ---- calls -------------------------------------------------------------------------------------- */

int call_begin(struct call *call)
{
    sigset_t all;
    if (!__atomic_load_n(&process.running, __ATOMIC_ACQUIRE))
        return ERR_UNSUPPORTED;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    pthread_sigmask(SIG_SETMASK, &all, &call->before);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &call->cancel);
    return VM_OK;
}

int call_end(struct call *call, int result)
{
    pthread_setcancelstate(call->cancel, NULL);
    pthread_sigmask(SIG_SETMASK, &call->before, NULL);
    return result;
}

int call_begin_with_regions(struct call *call)
{
    int error = call_begin(call);
    if (error != VM_OK)
        return error;
    lock(&regions_lock);
    return __atomic_load_n(&process.running, __ATOMIC_RELAXED) /* it may have waited for the end */
               ? VM_OK
               : call_end_with_regions(call, ERR_UNSUPPORTED);
}

int call_end_with_regions(struct call *call, int result)
{
    unlock(&regions_lock);
    return call_end(call, result);
}
