/* SPDX-License-Identifier: MIT */
/* Regions over files. */
#include <quire/host.h>

#include "aspace.h"
#include "create.h"
#include "file.h"

static region_id map_vnode(struct create_request *r, void *vnode)
{
    vm_address_space *aspace;
    vm_cache_ref *ref = NULL;
    if (r->offset < 0)
        return ERR_INVALID_ARGS;
    r->offset &= ~(off_t)VM_PAGE_MASK;
    int error = create_begin(r, &aspace);
    if (error != VM_OK)
        return error;
    error = create_check_object(r);
    if (error == VM_OK)
        error = vm_get_vnode_cache(vnode, &ref);
    if (error != VM_OK) {
        vm_put_aspace(aspace);
        return error;
    }
    return create_finish(r, aspace, ref);
}

region_id vm_map_vnode(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, void *vnode, off_t offset)
{
    struct create_request r = {.aid = aid,
                               .name = name,
                               .address = address,
                               .addr_type = addr_type,
                               .size = size,
                               .lock = lock & ~REGION_NO_WRITE,
                               .mapping = mapping,
                               .offset = offset,
                               .max_lock = lock & REGION_NO_WRITE ? LOCK_EXECUTE : REGION_RIGHTS,
                               .inherit = create_inherit_of(mapping)};
    return vnode ? map_vnode(&r, vnode) : ERR_INVALID_ARGS;
}

static int get_file_for(unsigned rights, const char *path, bool kernel, void **vnode)
{
    unsigned access = VM_ACCESS_READ | (rights & LOCK_RW ? VM_ACCESS_WRITE : 0u) |
                      (rights & LOCK_EXECUTE ? VM_ACCESS_EXECUTE : 0u);
    return host_vnode_from_path(path, kernel, access, vnode);
}

/* The file, for what the mapping will do with it now, and for as much as is allowed of what it may do
 * later. */
static int get_file(struct create_request *r, const char *path, bool kernel, void **vnode)
{
    static const unsigned tried[] = {LOCK_RW | LOCK_EXECUTE, LOCK_RW, LOCK_EXECUTE, 0};
    unsigned needed = region_rights(r->lock, r->mapping);
    int error = ERR_PERMISSION_DENIED;
    for (unsigned i = 0; i < 4 && error == ERR_PERMISSION_DENIED; i++) {
        unsigned rights = region_rights(tried[i], r->mapping);
        if (needed & ~rights)
            continue;
        r->max_lock = rights | (r->mapping == REGION_PRIVATE_MAP ? LOCK_RW : 0u);
        error = get_file_for(rights, path, kernel, vnode);
    }
    return error;
}

region_id _vm_map_file(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, const char *path, off_t offset, bool kernel)
{
    void *vnode;
    struct create_request r = {.aid = aid,
                               .name = name,
                               .address = address,
                               .addr_type = addr_type,
                               .size = size,
                               .lock = lock,
                               .mapping = mapping,
                               .offset = offset,
                               .inherit = create_inherit_of(mapping)};
    if (!path)
        return ERR_INVALID_ARGS;
    int error = create_check(&r);
    if (error == VM_OK)
        error = get_file(&r, path, kernel, &vnode);
    if (error != VM_OK)
        return error;
    region_id id = map_vnode(&r, vnode);
    host_vnode_release(vnode);
    return id;
}

region_id vm_map_file(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                      unsigned lock, int mapping, const char *path, off_t offset)
{
    return _vm_map_file(aid, name, address, addr_type, size, lock, mapping, path, offset, true);
}
