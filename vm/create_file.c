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
    if ((off_t)r->size > INT64_MAX - r->offset)
        error = ERR_INVALID_ARGS;
    else if (r->mapping == REGION_NO_PRIVATE_MAP && (r->lock & LOCK_RW) && !(r->max_lock & LOCK_RW))
        error = ERR_PERMISSION_DENIED;
    else
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
                               .max_lock = lock & REGION_NO_WRITE ? LOCK_RO : LOCK_RW,
                               .inherit = create_inherit_of(mapping)};
    return vnode ? map_vnode(&r, vnode) : ERR_INVALID_ARGS;
}

/* The file, for what the mapping will do with it now, and, where that is allowed, may do later. */
static int get_file(struct create_request *r, const char *path, bool kernel, void **vnode)
{
    unsigned access = VM_ACCESS_READ | (r->lock & LOCK_EXECUTE ? VM_ACCESS_EXECUTE : 0u);
    r->max_lock = LOCK_RW;
    if (r->mapping == REGION_PRIVATE_MAP)
        return host_vnode_from_path(path, kernel, access, vnode);
    int error = host_vnode_from_path(path, kernel, access | VM_ACCESS_WRITE, vnode);
    if (error != ERR_PERMISSION_DENIED || (r->lock & LOCK_RW))
        return error;
    r->max_lock = LOCK_RO;
    return host_vnode_from_path(path, kernel, access, vnode);
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
