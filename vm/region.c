/* SPDX-License-Identifier: MIT */
/* A region's identity: its structure, its id, its references, and what can be asked about it. The
 * structure outlives the region where somebody holds a reference; `aspace` is NULL then. */
#include "region.h"

#include "aspace.h"
#include "cache.h"
#include "count.h"
#include "mapping.h"
#include "meta.h"
#include "print.h"
#include "range.h"
#include "system.h"
#include "usage.h"

static void copy_name(char *to, const char *from)
{
    size_t i = 0;
    for (; from[i] && i < VM_NAME_LENGTH - 1; i++)
        to[i] = from[i];
    to[i] = '\0';
}

vm_region *_vm_create_region_struct(vm_address_space *aspace, const char *name, int wiring,
                                    unsigned lock)
{
    vm_region *region = meta_alloc(sizeof *region);
    if (!region)
        return NULL;
    *region = (vm_region){.magic = VM_REGION_MAGIC,
                          .ref_count = 1,
                          .aspace = aspace,
                          .lock = lock,
                          .max_lock = REGION_RIGHTS,
                          .reads_fill = true,
                          .wiring = (uint8_t)wiring};
    list_init(&region->cache_link);
    copy_name(region->name, name);
    return region;
}

void region_free_struct(vm_region *region)
{
    region->magic = 0;
    vm_meta_free(region, sizeof *region);
}

/* ---- sharing ------------------------------------------------------------------------------------ */

bool region_needs_promise(const vm_region *region, unsigned lock)
{
    return region->cache_ref->temporary && !region->charged && !region->promised &&
           !(region->lock & REGION_OVERCOMMIT) && region_fills_frames(region, lock);
}

/* What two regions share is promised to both, by the cache. => cache: locked */
int region_make_shared(vm_region *region)
{
    vm_cache *cache = region->cache_ref->cache;
    int error = VM_OK;
    if (!cache->ref->temporary)
        return VM_OK;
    if (!region->charged && !region->promised && !(region->lock & REGION_OVERCOMMIT)) {
        error = cache_charge(cache, (int64_t)region->size);
        region->charged = region->charged_to_share = error == VM_OK;
    }
    if (error == VM_OK) {
        cache->ref->sharers++;
        region->shares++;
    }
    return error;
}

/* => cache: locked. It was charged to be shared, and isn't shared: what it may fill by now stays promised. */
static void end_charge_to_share(vm_region *region)
{
    region->charged = region_fills_frames(region, region->lock);
    region->charged_to_share = false;
}

/* => cache: locked, shared by nobody. What was unmapped meanwhile has left its promise with the cache, and
 * what was cut meanwhile has several regions that were charged to be shared. */
static void give_back_excess(vm_cache_ref *ref)
{
    off_t charged = 0;
    list_for_each(link, &ref->regions)
    {
        vm_region *region = list_member(link, vm_region, cache_link);
        region->shares = 0;
        if (region->charged_to_share)
            end_charge_to_share(region);
        charged += region->charged ? (off_t)region->size : 0;
    }
    cache_uncharge(ref->cache, ref->cache->store->committed_size - charged);
}

void region_unshare_gone(vm_cache_ref *ref)
{
    if (ref->temporary && --ref->sharers == 0)
        give_back_excess(ref);
}

void region_unshare(vm_region *region)
{
    vm_cache_ref *ref = region->cache_ref;
    if (ref->temporary && --region->shares == 0 && region->charged_to_share && ref->sharers > 1) {
        end_charge_to_share(region);
        if (!region->charged)
            cache_uncharge(ref->cache, (int64_t)region->size);
    }
    region_unshare_gone(ref);
}

/* ---- clones under way --------------------------------------------------------------------------- */

void region_begin_clone(vm_region *source, vm_region *region, struct region_clone *clone)
{
    clone->older = source ? source->clones : NULL;
    if (source)
        source->clones = clone;
    region->clones = clone;
    region->inherit = VM_INHERIT_NONE;
}

/* Where the region knows the clone, or NULL. */
static struct region_clone **find_clone(vm_region *region, const struct region_clone *clone)
{
    struct region_clone **link = &region->clones;
    while (*link && *link != clone)
        link = &(*link)->older;
    return *link ? link : NULL;
}

/* Of what fails a newer clone that several pieces know forgets it once for all of them. */
void region_end_clone(vm_address_space *aspace, const struct region_clone *clone, bool success)
{
    struct map_cursor cursor;
    vm_region *region = map_first(&aspace->virtual_map, 0, &cursor);
    for (; region; region = map_next(&cursor)) {
        struct region_clone **link = find_clone(region, clone);
        if (link && success)
            region_set_inherit(region, VM_INHERIT_SHARE);
        else if (link)
            *link = clone->older;
    }
}

/* ---- the table of ids --------------------------------------------------------------------------- */

static void table_lock(void)
{
    vm_mutex_lock(&vm_system.table_lock, VM_RANK_TABLE);
}

static void table_unlock(void)
{
    vm_mutex_unlock(&vm_system.table_lock);
}

int region_register(vm_region *region)
{
    table_lock();
    region->id = vm_system.next_region_id;
    int error = radix_insert(&vm_system.region_table, (uint64_t)region->id, region);
    if (error == VM_OK) {
        vm_system.next_region_id++;
        if (region->id % RADIX_SLOTS == 0)
            radix_tidy(&vm_system.region_table, (uint64_t)region->id - 1);
        if (++vm_system.regions > vm_system.counters.most_regions)
            vm_system.counters.most_regions = vm_system.regions;
    }
    table_unlock();
    return error;
}

void region_unregister(vm_region *region)
{
    table_lock();
    /* The leaf that new ids go to stays: most regions don't live long. */
    bool newest = region->id / RADIX_SLOTS == (vm_system.next_region_id - 1) / RADIX_SLOTS;
    if (newest)
        (void)radix_take(&vm_system.region_table, (uint64_t)region->id);
    else
        (void)radix_remove(&vm_system.region_table, (uint64_t)region->id);
    vm_system.regions--;
    region->aspace = NULL;
    table_unlock();
}

void region_tidy_table(void)
{
    table_lock();
    radix_tidy(&vm_system.region_table, (uint64_t)vm_system.next_region_id - 1);
    table_unlock();
}

vm_region *vm_get_region_by_id(region_id rid)
{
    vm_region *region = NULL;
    table_lock();
    if (rid > 0)
        region = radix_lookup(&vm_system.region_table, (uint64_t)rid);
    if (region)
        count_reference(&region->ref_count);
    table_unlock();
    return region;
}

static void _vm_put_region(vm_region *region)
{
    VM_ASSERT(region->magic == VM_REGION_MAGIC && region->ref_count > 0);
    if (vm_atomic_sub_fetch(&region->ref_count, 1, __ATOMIC_ACQ_REL) == 0)
        region_free_struct(region);
}

void vm_put_region(vm_region *region)
{
    if (region)
        _vm_put_region(region);
}

vm_address_space *region_get_aspace(const vm_region *region)
{
    table_lock();
    vm_address_space *aspace = region->aspace;
    if (aspace)
        count_reference(&aspace->ref_count);
    table_unlock();
    return aspace;
}

/* ---- deleting ----------------------------------------------------------------------------------- */

/* => map: write-locked */
static int __vm_delete_region(vm_address_space *aspace, vm_region *region,
                              struct range_removed *removed)
{
    if (region->aspace != aspace)
        return ERR_VM_INVALID_REGION;
    range_remove_region(region, removed);
    return VM_OK;
}

static int _vm_delete_region(vm_address_space *aspace, region_id rid, struct range_removed *removed)
{
    vm_region *region = vm_get_region_by_id(rid);
    if (!region)
        return ERR_VM_INVALID_REGION;
    int error = __vm_delete_region(aspace, region, removed);
    vm_put_region(region);
    return error;
}

int vm_delete_region(aspace_id aid, region_id rid)
{
    vm_address_space *aspace;
    struct range_removed removed;
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    range_removed_init(&removed);
    error = _vm_delete_region(aspace, rid, &removed);
    aspace_write_unlock(aspace);
    range_removed_release(&removed);
    vm_put_aspace(aspace);
    return error;
}

/* ---- asking ------------------------------------------------------------------------------------- */

/* => map: read-locked */
static void fill_info(vm_region *region, vm_region_info *info)
{
    *info = (vm_region_info){
        .id = region->id,
        .base = region->base,
        .size = region->size,
        .lock = region->lock,
        .wiring = region_shown_wiring(region),
        .mapping = region->mapping,
        .inherit = region->inherit,
        .advice = region->advice,
        .cache_offset = region->cache_offset,
    };
    copy_name(info->name, region->name);
    cache_lock(region->cache_ref);
    info->chain_depth = chain_depth(region->cache_ref, &info->vnode);
    cache_unlock(region->cache_ref);
    struct region_usage usage = region_usage(region);
    info->resident_pages = usage.resident;
    info->modified_pages = usage.modified;
    info->swapped_pages = usage.swapped;
    info->unmapped_pages = usage.unmapped;
    info->shared_pages = usage.shared;
    info->shared_modified_pages = usage.shared_modified;
    info->memory_pages = usage.memory;
    info->referenced_pages = usage.referenced;
    info->discardable_pages = usage.discardable;
    info->proportional_size = usage.proportional;
    info->proportional_swap = usage.proportional_swap;
    info->working_set = __atomic_load_n(&region->working_set, __ATOMIC_RELAXED);
    info->faults = __atomic_load_n(&region->faults, __ATOMIC_RELAXED);
    info->refaults = __atomic_load_n(&region->refaults, __ATOMIC_RELAXED);
}

int vm_get_region_info(region_id id, vm_region_info *info)
{
    if (!info)
        return ERR_INVALID_ARGS;
    vm_region *region = vm_get_region_by_id(id);
    vm_address_space *aspace = region ? region_get_aspace(region) : NULL;
    int error = ERR_VM_INVALID_REGION;
    if (aspace) {
        vm_read_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
        if (region->aspace) {
            fill_info(region, info);
            error = VM_OK;
        }
        vm_read_unlock(&aspace->virtual_map.lock);
        vm_put_aspace(aspace);
    }
    vm_put_region(region);
    return error;
}

int vm_get_next_region_info(aspace_id aid, addr_t *cookie, vm_region_info *info)
{
    vm_address_space *aspace;
    struct map_cursor cursor;
    if (!cookie || !info)
        return ERR_INVALID_ARGS;
    int error = aspace_get_read_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    vm_region *region = NULL;
    if (*cookie <= aspace->virtual_map.last && *cookie != UINTPTR_MAX)
        region = map_first(&aspace->virtual_map, *cookie, &cursor);
    if (region) {
        fill_info(region, info);
        /* The end may be the end of all addresses, which is nobody's cookie else. */
        addr_t last = region_last(region);
        *cookie = last == UINTPTR_MAX ? last : last + 1;

    } else {
        error = ERR_NOT_FOUND;
    }
    aspace_put_read_locked(aspace);
    return error;
}

static bool same_name(const char *a, const char *b)
{
    size_t i = 0;
    for (; i < VM_NAME_LENGTH - 1 && a[i] && a[i] == b[i]; i++)
        ;
    return i == VM_NAME_LENGTH - 1 || a[i] == b[i];
}

region_id vm_find_region_by_name(aspace_id aid, const char *name)
{
    vm_address_space *aspace;
    struct map_cursor cursor;
    region_id found = ERR_NOT_FOUND;
    if (!name)
        return ERR_INVALID_ARGS;
    int error = aspace_get_read_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    vm_region *region = map_first(&aspace->virtual_map, 0, &cursor);
    for (; region && found < 0; region = map_next(&cursor))
        if (same_name(region->name, name))
            found = region->id;
    aspace_put_read_locked(aspace);
    return found;
}
