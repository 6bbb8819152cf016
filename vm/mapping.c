/* SPDX-License-Identifier: MIT */
/* The only place that changes the entries of regions' pages. Every change keeps three things together
 * under the lock of the translation map: the entry, what TLBs may know, and the page's counts. */
#include "mapping.h"

#include "aspace.h"
#include "cache.h"
#include "print.h"
#include "system.h"

static struct vm_translation_map *tmap_of(const vm_region *region)
{
    return &region->aspace->translation_map;
}

unsigned mapping_protection(const vm_region *region, bool writable)
{
    unsigned lock = region->lock;
    return (region->is_device && !region->cached ? TMAP_UNCACHED : 0u) | TMAP_READ |
           (writable && (lock & LOCK_RW) ? TMAP_WRITE : 0u) |
           (lock & LOCK_EXECUTE ? TMAP_EXECUTE : 0u) | (lock & LOCK_KERNEL ? 0u : TMAP_USER);
}

static uint64_t exchange(uint64_t *entry, uint64_t value)
{
    return vm_atomic_exchange(entry, value, __ATOMIC_ACQ_REL);
}

static void harvest(const struct vm_tmap_format *format, struct vm_page *page, uint64_t entry)
{
    if (entry & format->dirty)
        page_set_modified(page);
    if (entry & format->accessed)
        page_note_access(page);
}

static void count_mapping(vm_region *region, struct vm_page *page)
{
    vm_page_use(page);
    if (region_is_wired(region))
        vm_page_wire(page);
}

/* => tmap: locked. The entry is gone, and no TLB knows it any more: until then its count keeps the
 * frame from whoever takes the page out of its cache meanwhile, without this lock. */
static void uncount_mapping(vm_region *region, uint64_t entry)
{
    const struct vm_tmap_format *format = tmap_of(region)->format;
    if (region->is_device)
        return;
    struct vm_page *page = vm_page_at(tmap_entry_physical(format, entry));
    harvest(format, page, entry);
    if (region_is_wired(region))
        vm_page_unwire(page);
    cache_unhold_page(page);
}

/* Whether TLBs may do through `old` what needs a walk of `new`: they write without one where they know
 * an entry as writable and dirty. */
static bool loses(const struct vm_tmap_format *format, uint64_t old, uint64_t new)
{
    return (old & format->writable) && (old & ~new &(format->writable | format->dirty));
}

/* => tmap: locked. shootdown.pml: replace */
static void replace_entry(vm_region *region, addr_t address, uint64_t *entry, struct vm_page *page,
                          uint64_t new)
{
    struct vm_translation_map *tmap = tmap_of(region);
    const struct vm_tmap_format *format = tmap->format;
    bool same_frame = tmap_entry_physical(format, *entry) == vm_page_physical(page);
    /* A TLB that holds the entry dirty would note no further write. */
    if (same_frame)
        new |= *entry & format->dirty;
    uint64_t old = exchange(entry, new);
    if (!same_frame || loses(format, old, new))
        tmap_flush(tmap, address, 1);
    if (!same_frame) {
        count_mapping(region, page);
        uncount_mapping(region, old);
    } else {
        harvest(format, page, old);
    }
}

/* shootdown.pml: install */
int mapping_install(vm_region *region, addr_t address, struct vm_page *page, bool writable)
{
    struct vm_translation_map *tmap = tmap_of(region);
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    uint64_t *entry = tmap_entry(tmap, address, true);
    if (entry) {
        uint64_t new = tmap_make_entry(tmap->format, vm_page_physical(page),
                                       mapping_protection(region, writable)) |
                       tmap->format->accessed;
        if (tmap_is_present(tmap->format, *entry)) {
            replace_entry(region, address, entry, page, new);
        } else {
            count_mapping(region, page);
            vm_atomic_store(entry, new, __ATOMIC_RELEASE);
            tmap_used_one(tmap);
        }
    }
    vm_mutex_unlock(&tmap->lock);
    return entry ? VM_OK : ERR_NO_MEMORY;
}

size_t mapping_install_around(vm_region *region, addr_t address, struct vm_page *const *pages,
                              size_t count)
{
    struct vm_translation_map *tmap = tmap_of(region);
    size_t installed = 0;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    uint64_t *entry = tmap_entry(tmap, address, false); /* the page around which this is has one */
    unsigned protection = mapping_protection(region, false);
    VM_ASSERT(entry != NULL);
    for (size_t i = 0; i < count; i++) {
        if (!pages[i] || entry[i] != 0)
            continue;
        entry[i] = tmap_make_entry(tmap->format, vm_page_physical(pages[i]), protection);
        count_mapping(region, pages[i]);
        installed++;
    }
    if (installed > 0)
        tmap_used(tmap, address, (long)installed);
    vm_mutex_unlock(&tmap->lock);
    return installed;
}

/* => tmap: locked. Entries stop being translated, but still say which frames they were.
 * shootdown.pml: withdraw, in remove */
static bool withdraw(struct vm_translation_map *tmap, addr_t first, addr_t last)
{
    struct tmap_walk walk = {.next = first, .last = last};
    uint64_t present = tmap->format->present, *entry;
    bool any = false;
    while ((entry = tmap_run(tmap, &walk)) != NULL)
        for (size_t i = 0; i < walk.count; i++)
            if (tmap_is_present(tmap->format, entry[i])) {
                (void)vm_atomic_fetch_and(&entry[i], ~present, __ATOMIC_ACQ_REL);
                any = true;
            }
    return any;
}

/* => tmap: locked. Of entries that were withdrawn, and flushed; others may be among them.
 * shootdown.pml: forget, in remove */
static void forget(vm_region *region, addr_t first, addr_t last)
{
    struct vm_translation_map *tmap = tmap_of(region);
    struct tmap_walk walk = {.next = first, .last = last};
    uint64_t *entry;
    while ((entry = tmap_run(tmap, &walk)) != NULL) {
        long here = 0;
        for (size_t i = 0; i < walk.count; i++) {
            if (entry[i] == 0 || tmap_is_present(tmap->format, entry[i]))
                continue;
            uncount_mapping(region, entry[i]);
            entry[i] = 0;
            here++;
        }
        if (here > 0)
            tmap_used(tmap, walk.address, -here);
    }
}

/* shootdown.pml: remove */
void mapping_remove(vm_region *region, addr_t first, addr_t last)
{
    struct vm_translation_map *tmap = tmap_of(region);
    size_t count = (last - first) / VM_PAGE_SIZE + 1;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    if (withdraw(tmap, first, last)) {
        tmap_flush(tmap, first, count);
        forget(region, first, last);
        if (tmap->retired) /* tables that have emptied */
            tmap_flush(tmap, first, count);
    }
    vm_mutex_unlock(&tmap->lock);
}

/* The first of `count` entries, from i on, that has one of these bits; most have none, so by fours. */
static size_t skip_unmarked(const uint64_t *entry, size_t i, size_t count, uint64_t marks)
{
    while (i + 4 <= count && !((entry[i] | entry[i + 1] | entry[i + 2] | entry[i + 3]) & marks))
        i += 4;
    while (i < count && !(entry[i] & marks))
        i++;
    return i;
}

/* => tmap: locked. Takes the mark of an access off an entry. False: there was none since it was taken off
 * last, or it is the one that brought the page. */
static bool collect_access(const struct vm_tmap_format *format, uint64_t *entry)
{
    if (!(*entry & format->accessed))
        return false;
    struct vm_page *page = vm_page_at(tmap_entry_physical(format, *entry));
    (void)vm_atomic_fetch_and(entry, ~format->accessed, __ATOMIC_RELAXED);
    page_note_access(page);
    return !page_is_young(page);
}

/* => tmap: locked. As withdraw, but for what has been accessed. */
static bool withdraw_idle(struct vm_translation_map *tmap, addr_t first, addr_t last)
{
    struct tmap_walk walk = {.next = first, .last = last};
    const struct vm_tmap_format *format = tmap->format;
    uint64_t *entry;
    bool any = false;
    while ((entry = tmap_run(tmap, &walk)) != NULL)
        for (size_t i = 0; i < walk.count; i++)
            if (tmap_is_present(format, entry[i]) && !collect_access(format, &entry[i])) {
                (void)vm_atomic_fetch_and(&entry[i], ~format->present, __ATOMIC_ACQ_REL);
                any = true;
            }
    return any;
}

void mapping_remove_idle(vm_region *region, addr_t first, addr_t last)
{
    struct vm_translation_map *tmap = tmap_of(region);
    size_t count = (last - first) / VM_PAGE_SIZE + 1;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    if (withdraw_idle(tmap, first, last)) {
        tmap_flush(tmap, first, count);
        forget(region, first, last);
        if (tmap->retired)
            tmap_flush(tmap, first, count);
    }
    vm_mutex_unlock(&tmap->lock);
}

size_t mapping_collect(vm_region *region)
{
    struct vm_translation_map *tmap = tmap_of(region);
    struct tmap_walk walk = {.next = region->base, .last = region_last(region)};
    const struct vm_tmap_format *format = tmap->format;
    uint64_t marks = format->accessed | format->dirty;
    size_t accessed = 0;
    uint64_t *entry;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    while ((entry = tmap_run(tmap, &walk)) != NULL)
        for (size_t i = skip_unmarked(entry, 0, walk.count, marks); i < walk.count;
             i = skip_unmarked(entry, i + 1, walk.count, marks)) {
            if (!tmap_is_present(format, entry[i]))
                continue;
            accessed += (entry[i] & format->accessed) != 0;
            (void)collect_access(format, &entry[i]);
            if ((entry[i] & format->dirty) && !region->cache_ref->temporary)
                page_set_modified(vm_page_at(tmap_entry_physical(format, entry[i])));
        }
    vm_mutex_unlock(&tmap->lock);
    return accessed;
}

/* What becomes of an entry: the bits of `keep` stay, and those of `own` come, or, for a page that is not
 * of the region's own cache, those of `other`. */
struct change {
    uint64_t keep, own, other;
};

/* => tmap: locked. Returns the bits that were lost. shootdown.pml: change */
static inline uint64_t change_entry(const vm_region *region, const struct vm_tmap_format *format,
                                    uint64_t *entry, const struct change *change)
{
    uint64_t old = *entry, set = change->own;
    if (!tmap_is_present(format, old))
        return 0;
    if (change->own != change->other && !region->is_device) {
        const struct vm_page *page = vm_page_at(tmap_entry_physical(format, old));
        set = page->cache == region->cache_ref->cache ? change->own : change->other;
    }
    uint64_t new = (old & change->keep) | set;
    if (new == old)
        return 0;
    old = exchange(entry, new);
    if ((old & format->dirty) && !region->is_device)
        harvest(format, vm_page_at(tmap_entry_physical(format, old)), old);
    return (old ^ new) & ~(format->accessed | (format->writable & new));
}

/* Flushes where a right or a dirty bit has gone. */
static bool change_range(vm_region *region, addr_t first, addr_t last, const struct change *change)
{
    struct vm_translation_map *tmap = tmap_of(region);
    const struct vm_tmap_format *format = tmap->format;
    struct tmap_walk walk = {.next = first, .last = last, .for_rights = true};
    uint64_t marks = change->own | change->other ? UINT64_MAX : ~change->keep; /* of what changes */
    uint64_t *entry, lost = 0;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    while ((entry = tmap_run(tmap, &walk)) != NULL)
        for (size_t i = skip_unmarked(entry, 0, walk.count, marks); i < walk.count;
             i = skip_unmarked(entry, i + 1, walk.count, marks))
            lost |= change_entry(region, format, &entry[i], change);
    if (lost)
        tmap_flush(tmap, first, (last - first) / VM_PAGE_SIZE + 1);
    vm_mutex_unlock(&tmap->lock);
    return lost != 0;
}

/* Entries that may be written, from which on one write to the table above is less than one to each, even where each
 * loses the right later. */
#define MANY 8

/* Whether so many of the entries may be written that the table loses the right as a whole. */
static bool allows_many(const struct vm_tmap_format *format, const uint64_t *entry, size_t count)
{
    size_t writable = 0;
    for (size_t i = skip_unmarked(entry, 0, count, format->writable); i < count && writable < MANY;
         i = skip_unmarked(entry, i + 1, count, format->writable))
        writable++;
    return writable >= MANY;
}

/* => tmap: locked. The right to write goes from one run of entries; returns the bits that were lost. Dirty bits that stay
 * are harvested when the page is unmapped.
 * shootdown.pml: change */
static uint64_t protect_run(vm_region *region, const struct tmap_walk *walk, uint64_t *entry)
{
    struct vm_translation_map *tmap = tmap_of(region);
    const struct vm_tmap_format *format = tmap->format;
    struct change change = {.keep = ~format->writable};
    size_t count = walk->count;
    uint64_t lost = 0;
    if (walk->is_protected)
        return 0;
    if (count == (size_t)1 << format->bits && allows_many(format, entry, count) &&
        tmap_protect_table(tmap))
        return format->writable;
    for (size_t i = skip_unmarked(entry, 0, count, format->writable); i < count;
         i = skip_unmarked(entry, i + 1, count, format->writable))
        lost |= change_entry(region, format, &entry[i], &change);
    return lost;
}

bool mapping_write_protect(vm_region *region, addr_t first, addr_t last)
{
    struct vm_translation_map *tmap = tmap_of(region);
    struct tmap_walk walk = {.next = first, .last = last};
    uint64_t *entry, lost = 0;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    while ((entry = tmap_run(tmap, &walk)) != NULL)
        lost |= protect_run(region, &walk, entry);
    if (lost)
        tmap_flush(tmap, first, (last - first) / VM_PAGE_SIZE + 1);
    vm_mutex_unlock(&tmap->lock);
    return lost != 0;
}

void mapping_update(vm_region *region, addr_t first, addr_t last)
{
    const struct vm_tmap_format *format = tmap_of(region)->format;
    struct change change = {.keep = format->frame_mask | format->accessed | format->dirty,
                            .own = format->leaf[mapping_protection(region, true)],
                            .other = format->leaf[mapping_protection(region, false)]};
    if (region->lock & LOCK_NO_READ)
        mapping_remove(region, first, last);
    else
        (void)change_range(region, first, last, &change);
}

void mapping_clean(vm_region *region, addr_t first, addr_t last)
{
    struct change change = {.keep = ~tmap_of(region)->format->dirty};
    (void)change_range(region, first, last, &change);
}

void mapping_forget_access(vm_region *region, addr_t first, addr_t last)
{
    struct change change = {.keep = ~tmap_of(region)->format->accessed};
    (void)change_range(region, first, last, &change);
}

static void for_each_mapped(vm_region *region, void (*visit)(struct vm_page *page))
{
    struct vm_translation_map *tmap = tmap_of(region);
    struct tmap_walk walk = {.next = region->base, .last = region_last(region)};
    const uint64_t *entry;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    while ((entry = tmap_run(tmap, &walk)) != NULL)
        for (size_t i = 0; i < walk.count; i++)
            if (tmap_is_present(tmap->format, entry[i]))
                visit(vm_page_at(tmap_entry_physical(tmap->format, entry[i])));
    vm_mutex_unlock(&tmap->lock);
}

void mapping_set_wiring(vm_region *region, int wiring)
{
    bool was_wired = region_is_wired(region);
    region->wiring = (uint8_t)wiring;
    if (region_is_wired(region) != was_wired)
        for_each_mapped(region, was_wired ? vm_page_unwire : vm_page_wire);
}
