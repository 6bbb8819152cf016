/* SPDX-License-Identifier: MIT */
/* Regions that show what another region shows at this moment. */
#include "aspace.h"
#include "create.h"
#include "region.h"
#include "system.h"

/* => the source's map: read-locked. The cache that the snapshot maps, with a reference. */
static int take_snapshot(const vm_region *source, struct create_request *r, vm_cache_ref **ref)
{
    if (!source->cache_ref->temporary)
        return ERR_UNSUPPORTED;
    r->size = source->size;
    r->offset = source->cache_offset;
    r->lock = source->lock & ~(REGION_SHARED | REGION_GROWS_DOWN);
    r->max_lock = source->max_lock | (source->mapping == REGION_PRIVATE_MAP ? LOCK_RW : 0u);
    r->shows_file = !source->reads_fill;
    return chain_snapshot(source->cache_ref, ref);
}

/* It may be deleted meanwhile. */
static int find_and_take(vm_region *source, struct create_request *r, vm_cache_ref **ref)
{
    vm_address_space *aspace = region_get_aspace(source);
    if (!aspace)
        return ERR_VM_INVALID_REGION;
    vm_read_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    bool is_there = source->aspace == aspace && aspace != vm_system.kernel_aspace;
    int error = is_there ? take_snapshot(source, r, ref) : ERR_VM_INVALID_REGION;
    vm_read_unlock(&aspace->virtual_map.lock);
    vm_put_aspace(aspace);
    return error;
}

region_id vm_snapshot_region(aspace_id aid, const char *name, void **address, int addr_type,
                             region_id source_region)
{
    struct create_request r = {.aid = aid,
                               .name = name,
                               .address = address,
                               .addr_type = addr_type,
                               .size = VM_PAGE_SIZE, /* until the source says */
                               .inherit = VM_INHERIT_COPY};
    vm_address_space *aspace;
    vm_cache_ref *ref = NULL;
    int error = create_begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    vm_region *source = vm_get_region_by_id(source_region);
    error = source ? find_and_take(source, &r, &ref) : ERR_VM_INVALID_REGION;
    vm_put_region(source);
    if (error != VM_OK) {
        vm_put_aspace(aspace);
        return error;
    }
    return create_finish(&r, aspace, ref);
}
