/* SPDX-License-Identifier: MIT */
/* Regions that map what another region maps. */
#include "aspace.h"
#include "create.h"
#include "region.h"

/* What is cloned. */
struct clone_source {
    vm_region *region;        /* with a reference */
    vm_address_space *aspace; /* with a reference; NULL: the region is deleted */
    vm_cache_ref *ref;        /* its cache, once that is taken, with a reference */
};

/* => the source's map: write-locked. Fills in what the clone takes from its source. */
static int take_source(struct clone_source *source, struct create_request *r)
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
    if (shared)
        error = region_make_shared(region);
    if (error == VM_OK) {
        vm_cache_acquire_ref(of);
        of->coming++;
        source->ref = of;
        r->size = region->size;
        r->offset = region->cache_offset;
        r->wiring = region_is_wired(region) ? REGION_WIRING_WIRED : REGION_WIRING_LAZY;
        r->cached = region->cached;
        r->max_lock = region->max_lock | (shared ? 0u : LOCK_RW);
        r->shows_file = shared && !region->reads_fill;
    }
    cache_unlock(of);
    return error;
}

/* It may go until its clone has come. => the source's map: locked */
static bool is_mapped(const struct clone_source *source)
{
    return source->region->aspace == source->aspace;
}

static int find_source(struct clone_source *source, struct create_request *r)
{
    source->aspace = source->region ? region_get_aspace(source->region) : NULL;
    if (!source->aspace)
        return ERR_VM_INVALID_REGION;
    vm_write_lock(&source->aspace->virtual_map.lock, VM_RANK_MAP);
    int error = is_mapped(source) ? take_source(source, r) : ERR_VM_INVALID_REGION;
    aspace_write_unlock(source->aspace);
    return error;
}

/* There is no shared clone after all. */
static void restore_source(const struct clone_source *source)
{
    vm_region *region = source->region;
    vm_write_lock(&source->aspace->virtual_map.lock, VM_RANK_MAP);
    cache_lock(source->ref);
    if (is_mapped(source))
        region_unshare(region);
    else
        region_unshare_gone(source->ref);
    cache_unlock(source->ref);
    aspace_write_unlock(source->aspace);
}

/* The clone is in another space: forks of the source share what the two show. */
static void keep_shared(const struct clone_source *source)
{
    vm_write_lock(&source->aspace->virtual_map.lock, VM_RANK_MAP);
    if (is_mapped(source))
        region_set_inherit(source->region, VM_INHERIT_SHARE);
    aspace_write_unlock(source->aspace);
}

static void put_source(const struct clone_source *source)
{
    if (source->aspace)
        vm_put_aspace(source->aspace);
    vm_put_region(source->region);
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
    struct clone_source source = {.region = vm_get_region_by_id(source_region)};
    error = find_source(&source, &r);
    if (error != VM_OK) {
        put_source(&source);
        vm_put_aspace(aspace);
        return error;
    }
    bool shared = mapping == REGION_NO_PRIVATE_MAP;
    vm_cache_acquire_ref(source.ref);
    r.shares = shared ? source.region : NULL;
    region_id id = create_finish(&r, aspace, source.ref);
    if (shared && id < 0)
        restore_source(&source);
    else if (shared && source.aspace->id != aid)
        keep_shared(&source);
    has_come(source.ref);
    put_source(&source);
    return id;
}
