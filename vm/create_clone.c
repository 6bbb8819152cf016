/* SPDX-License-Identifier: MIT */
/* Regions that map what another region maps. */
#include "aspace.h"
#include "create.h"
#include "region.h"

/* How a source was before its clone made it a shared one. */
struct clone_source {
    vm_region *region; /* with a reference */
    aspace_id clone_in;
    uint32_t sharers; /* of its cache */
    bool share;
    uint8_t inherit;
};

/* => the source's map: write-locked. Fills in what the clone takes from its source. */
static int take_source(struct clone_source *source, struct create_request *r, vm_cache_ref **ref)
{
    vm_region *region = source->region;
    vm_cache_ref *of = region->cache_ref;
    int error = VM_OK;
    bool shared = r->mapping == REGION_NO_PRIVATE_MAP;
    if (region_rights(r->lock, r->mapping) & ~region->max_lock)
        return ERR_PERMISSION_DENIED;
    if (!shared && region->is_device)
        return ERR_UNSUPPORTED;
    cache_lock(of);
    source->sharers = of->sharers;
    source->share = shared;
    source->inherit = region->inherit;
    if (shared)
        error = region_make_shared(region);
    if (error == VM_OK) {
        vm_cache_acquire_ref(of);
        of->coming++;
        *ref = of;
        r->size = region->size;
        r->offset = region->cache_offset;
        r->wiring = region_is_wired(region) ? REGION_WIRING_WIRED : REGION_WIRING_LAZY;
        r->max_lock = region->max_lock | (shared ? 0u : LOCK_RW);
        r->shows_file = shared && !region->reads_fill;
    }
    cache_unlock(of);
    return error;
}

/* => the source's map: write-locked. There is no clone after all. */
static void restore_source(struct clone_source *source)
{
    vm_region *region = source->region;
    vm_cache_ref *ref = region->cache_ref;
    cache_lock(ref);
    if (source->share)
        region_unshare(region);
    if (ref->sharers == source->sharers) /* else somebody else shares it by now */
        region->inherit = source->inherit;
    cache_unlock(ref);
}

/* => the source's map: write-locked. Its clone is in another space: forks share what the two show. */
static void share_source(struct clone_source *source)
{
    if (source->region->aspace->id != source->clone_in)
        source->region->inherit = VM_INHERIT_SHARE;
}

/* Takes from (into *ref), or else does `visit` to, the source, which must still be mapped. */
static int with_source(struct clone_source *source, struct create_request *r, vm_cache_ref **ref,
                       void (*visit)(struct clone_source *source))
{
    vm_address_space *aspace = region_get_aspace(source->region);
    int error = ERR_VM_INVALID_REGION;
    if (!aspace)
        return error;
    vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    if (source->region->aspace == aspace) {
        error = ref ? take_source(source, r, ref) : VM_OK;
        if (!ref)
            visit(source);
    }
    aspace_write_unlock(aspace);
    vm_put_aspace(aspace);
    return error;
}

/* Gives the reference back, too. => nothing locked */
static void has_come(vm_cache_ref *ref)
{
    cache_lock(ref);
    ref->coming--;
    cache_settle_shared(ref);
    cache_unlock(ref);
    vm_cache_release_ref(ref);
}

region_id vm_clone_region(aspace_id aid, const char *name, void **address, int addr_type,
                          region_id source_region, int mapping, unsigned lock)
{
    vm_address_space *aspace;
    vm_cache_ref *ref = NULL;
    struct create_request r = {.aid = aid,
                               .name = name,
                               .address = address,
                               .addr_type = addr_type,
                               .size = VM_PAGE_SIZE, /* until the source says */
                               .lock = lock,
                               .mapping = mapping,
                               .inherit = create_inherit_of(mapping)};
    int error = create_begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    struct clone_source source = {.region = vm_get_region_by_id(source_region), .clone_in = aid};
    error = source.region ? with_source(&source, &r, &ref, NULL) : ERR_VM_INVALID_REGION;
    if (error == VM_OK) {
        bool shared = mapping == REGION_NO_PRIVATE_MAP;
        vm_cache_acquire_ref(ref);
        r.shares = shared ? source.region : NULL;
        region_id id = create_finish(&r, aspace, ref);
        if (id < 0 || shared)
            (void)with_source(&source, &r, NULL, id < 0 ? restore_source : share_source);
        has_come(ref);
        vm_put_region(source.region);
        return id;
    }
    vm_put_region(source.region);
    vm_put_aspace(aspace);
    return error;
}
