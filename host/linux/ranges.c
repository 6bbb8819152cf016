/* SPDX-License-Identifier: MIT */
/* What quire.h does with parts of regions. */
#include "regions.h"

#include <sys/mman.h>

struct range {
    struct region *region;
    addr_t first, size; /* of whole pages */
};

static int find(const void *address, size_t size, struct range *range)
{
    addr_t at = (addr_t)address;
    if (size == 0)
        return ERR_INVALID_ARGS;
    range->region = region_of(at);
    if (!range->region || size > range->region->size - (at - range->region->base))
        return ERR_VM_INVALID_REGION;
    range->first = at & ~VM_PAGE_MASK;
    range->size = ((at & VM_PAGE_MASK) + size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    return VM_OK;
}

/* Regions don't go while a call is at one: the program may not unmap what it uses. */
static int begin(struct call *call, const void *address, size_t size, struct range *range)
{
    int error = call_begin(call);
    if (error != VM_OK)
        return error;
    error = find(address, size, range);
    return error == VM_OK ? VM_OK : call_end(call, error);
}

static int protect_in_linux(const struct range *range, bool writable)
{
    int rights = PROT_READ | (writable ? PROT_WRITE : 0);
    return mprotect((void *)range->first, range->size, rights) == 0 ? VM_OK : ERR_NO_MEMORY;
}

static int protect(const struct range *range, bool writable)
{
    int error = protect_in_linux(range, writable);
    if (error != VM_OK)
        return error;
    error = vm_protect_range(process.aid, range->first, range->size, writable ? LOCK_RW : LOCK_RO);
    if (error != VM_OK) /* what Linux allows and the core doesn't is a fault still */
        (void)protect_in_linux(range, !range->region->read_only);
    return error;
}

int quire_protect(void *address, size_t size, bool writable)
{
    struct call call;
    struct range range;
    int error = begin(&call, address, size, &range);
    if (error != VM_OK)
        return error;
    if (writable && range.region->read_only)
        return call_end(&call, ERR_PERMISSION_DENIED);
    if (!reserve_may_split(range.first, range.size))
        return call_end(&call, ERR_NO_MEMORY);
    /* What comes back from away has the rights that Linux knew when it went. */
    away_keep_all(range.first, range.first + range.size);
    error = protect(&range, writable);
    away_let_all(range.first, range.first + range.size);
    return call_end(&call, error);
}

static bool is_shown(addr_t address)
{
    place_lock(address);
    bool shown = place_find(address) != NO_NODE;
    unlock(place_lock_of(address));
    return shown;
}

enum presence { THERE, NOT_SHOWN, NOT_IN_MEMORY };

static enum presence presence_of(addr_t address)
{
    uint8_t resident = 1;
    if (vm_get_residency(process.aid, address, VM_PAGE_SIZE, &resident) == VM_OK && !resident)
        return NOT_IN_MEMORY;
    return is_shown(address) ? THERE : NOT_SHOWN;
}

/* Of all pages: what has gone furthest. */
static enum presence presence_of_range(const struct range *range)
{
    enum presence worst = THERE;
    for (addr_t at = 0; at < range->size && worst < NOT_IN_MEMORY; at += VM_PAGE_SIZE) {
        enum presence presence = presence_of(range->first + at);
        worst = presence > worst ? presence : worst;
    }
    return worst;
}

/* The core's fault waits where a page is about to go, and its frame busy, though it is mapped still: to resolve the
 * access alone would find it there again and again. */
static int bring_back(addr_t address, unsigned access)
{
    enum presence presence = presence_of(address);
    int error = VM_OK;
    if (presence == THERE)
        return VM_OK;
    if (presence == NOT_IN_MEMORY)
        error = vm_fault_address_space(process.aspace, address, access | VM_ACCESS_USER);
    return error == VM_OK ? fault_resolve(address, access, false) : error;
}

/* In later passes only what has gone again. */
static int bring_in(const struct range *range, unsigned access, bool again)
{
    int error = VM_OK;
    for (addr_t at = range->first; at < range->first + range->size && error == VM_OK;
         at += VM_PAGE_SIZE)
        error = again ? bring_back(at, access) : fault_resolve(at, access, false);
    return error;
}

/* Where all of it can be there at once, others' faults may take frames, or replicas, again before the last has come, for
 * as long as this thread doesn't run. */
#define PASSES 4
#define PASSES_BESIDE_OTHERS 64

static unsigned most_passes(const struct range *range, enum presence missing)
{
    size_t limit = __atomic_load_n(&range->region->limit, __ATOMIC_RELAXED);
    size_t pages = range->size / VM_PAGE_SIZE;
    bool fits = missing == NOT_SHOWN ? pages <= process.replicas : limit == 0 || pages <= limit / 2;
    return fits ? PASSES_BESIDE_OTHERS : PASSES;
}

static int bring_in_all(const struct range *range, unsigned access)
{
    enum presence presence = NOT_IN_MEMORY;
    for (unsigned pass = 0; presence != THERE; pass++) {
        if (pass >= most_passes(range, presence))
            return ERR_NO_MEMORY;
        int error = bring_in(range, access, pass > 0);
        if (error != VM_OK)
            return error;
        presence = presence_of_range(range);
    }
    return VM_OK;
}

/* A page that has just come may be the first to go for the next one: the policy learns from that. */
int quire_populate(void *address, size_t size, bool write)
{
    struct call call;
    struct range range;
    unsigned access = write ? VM_ACCESS_WRITE : VM_ACCESS_READ;
    int error = begin(&call, address, size, &range);
    if (error != VM_OK)
        return error;
    bool fits = range.size / VM_PAGE_SIZE <= process.frames / 4;
    error = fits ? bring_in_all(&range, access) : bring_in(&range, access, false);
    return call_end(&call, error);
}

#define STEP (16 * VM_PAGE_SIZE)

/* No more than a part of the limit: else the last would push out the first. */
static int will_need(const struct range *range)
{
    size_t limit = __atomic_load_n(&range->region->limit, __ATOMIC_RELAXED);
    addr_t size = range->size, most = (limit - limit / 4) * VM_PAGE_SIZE;
    int error = VM_OK;
    if (limit == 0)
        return vm_advise_range(process.aid, range->first, size, VM_ADVICE_WILL_NEED);
    if (size > most)
        size = most;
    for (addr_t at = 0; at < size && error == VM_OK; at += STEP) {
        addr_t step = size - at < STEP ? size - at : STEP;
        error = vm_advise_range(process.aid, range->first + at, step, VM_ADVICE_WILL_NEED);
        limit_count(range->region, limit, step / VM_PAGE_SIZE, NO_PAGE);
    }
    return error;
}

/* With the core's region, which is split for it. */
static bool is_kept(int advice)
{
    return advice == VM_ADVICE_NORMAL || advice == VM_ADVICE_RANDOM ||
           advice == VM_ADVICE_SEQUENTIAL;
}

int quire_advise(void *address, size_t size, int advice)
{
    struct call call;
    struct range range;
    int error = begin(&call, address, size, &range);
    if (error != VM_OK)
        return error;
    if (is_kept(advice) && !reserve_may_split(range.first, range.size))
        return call_end(&call, ERR_NO_MEMORY);
    if (advice == VM_ADVICE_PAGEOUT)
        ahead_drop(range.region);
    error = advice == VM_ADVICE_WILL_NEED
                ? will_need(&range)
                : vm_advise_range(process.aid, range.first, range.size, advice);
    return call_end(&call, error);
}

int quire_prefetch(void *address, size_t size)
{
    return quire_advise(address, size, VM_ADVICE_WILL_NEED);
}

int quire_evict(void *address, size_t size)
{
    return quire_advise(address, size, VM_ADVICE_PAGEOUT);
}

/* ---- pages that stay ---------------------------------------------------------------------------- */

/* Which pages are pinned already, a byte for each. */
static void note_pinned(const struct range *range, uint8_t *pinned)
{
    addr_t cookie = range->first, end = range->first + range->size;
    vm_region_info info;
    while (cookie < end && vm_get_next_region_info(process.aid, &cookie, &info) == VM_OK) {
        addr_t first = info.base > range->first ? info.base : range->first;
        addr_t last = info.base + (info.size - 1);
        for (addr_t at = first; at <= last && at < end; at += VM_PAGE_SIZE)
            pinned[(at - range->first) / VM_PAGE_SIZE] = info.wiring != REGION_WIRING_LAZY;
    }
}

/* All but those. */
static void unpin_others(const struct range *range, const uint8_t *pinned)
{
    size_t pages = range->size / VM_PAGE_SIZE;
    for (size_t first = 0, end; first < pages; first = end + 1) {
        for (end = first; end < pages && !pinned[end]; end++)
            ;
        if (end > first)
            (void)vm_unwire_range(process.aid, range->first + first * VM_PAGE_SIZE,
                                  (end - first) * VM_PAGE_SIZE);
    }
}

/* What quire_protect has made read-only stays so. */
static int show_pinned(const struct range *range, addr_t address)
{
    int error = range->region->read_only ? ERR_VM_PF_BAD_PERM
                                         : fault_resolve(address, VM_ACCESS_WRITE, false);
    return error == ERR_VM_PF_BAD_PERM ? fault_resolve(address, VM_ACCESS_READ, false) : error;
}

static int pin(const struct range *range, uint8_t *pinned)
{
    note_pinned(range, pinned);
    int error = reserve_may_pin(range->size) ? vm_wire_range(process.aid, range->first, range->size)
                                             : ERR_NO_MEMORY;
    if (error != VM_OK)
        return error;
    for (addr_t at = 0; at < range->size && error == VM_OK; at += VM_PAGE_SIZE)
        error = show_pinned(range, range->first + at);
    if (error != VM_OK)
        unpin_others(range, pinned);
    return error;
}

int quire_pin(void *address, size_t size)
{
    struct call call;
    struct range range;
    int error = begin(&call, address, size, &range);
    if (error != VM_OK)
        return error;
    size_t pages = range.size / VM_PAGE_SIZE;
    uint8_t *pinned = pages <= process.frames ? vm_meta_alloc(pages) : NULL;
    if (!pinned)
        return call_end(&call, ERR_NO_MEMORY);
    away_keep_all(range.first, range.first + range.size);
    error = pin(&range, pinned);
    away_let_all(range.first, range.first + range.size);
    vm_meta_free(pinned, pages);
    return call_end(&call, error);
}

int quire_unpin(void *address, size_t size)
{
    struct call call;
    struct range range;
    int error = begin(&call, address, size, &range);
    if (error != VM_OK)
        return error;
    error = vm_unwire_range(process.aid, range.first, range.size);
    limit_look(range.region);
    return call_end(&call, error);
}

int quire_flush(void *address, size_t size)
{
    struct call call;
    struct range range;
    int error = begin(&call, address, size, &range);
    if (error != VM_OK)
        return error;
    if (range.region->writes_store) {
        vm_region_info info;
        addr_t cookie = range.first;
        error = vm_get_next_region_info(process.aid, &cookie, &info);
        off_t first = info.cache_offset + (off_t)(range.first - info.base);
        if (error == VM_OK)
            error = vm_cache_sync(range.region->cache, first, first + (off_t)range.size - 1);
    }
    return call_end(&call, error);
}

int quire_changed(void *address, size_t size, unsigned char *changed)
{
    struct call call;
    struct range range;
    int error = begin(&call, address, size, &range);
    if (error != VM_OK)
        return error;
    if (!changed)
        return call_end(&call, ERR_INVALID_ARGS);
    for (addr_t at = 0; at < range.size; at += VM_PAGE_SIZE)
        changed[at / VM_PAGE_SIZE] = flush_changed(range.first + at);
    return call_end(&call, VM_OK);
}

int quire_set_limit(void *address, size_t limit)
{
    struct call call;
    struct range range;
    int error = begin(&call, address, 1, &range);
    if (error != VM_OK)
        return error;
    if (limit != 0 && limit < 64 * VM_PAGE_SIZE)
        return call_end(&call, ERR_INVALID_ARGS);
    __atomic_store_n(&range.region->limit, limit / VM_PAGE_SIZE, __ATOMIC_RELAXED);
    __atomic_store_n(&range.region->brought, limit / VM_PAGE_SIZE, __ATOMIC_RELAXED);
    return call_end(&call, VM_OK);
}
