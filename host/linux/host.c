/* SPDX-License-Identifier: MIT */
/* The rest of the core's hooks. The process is one CPU and one address space; files come as stores, so there
 * are no vnodes. */
#include "linux.h"

unsigned host_cpu_id(void)
{
    return 0;
}

vm_address_space *host_current_aspace(void)
{
    return process.aspace;
}

addr_t host_fault_handler(addr_t ip)
{
    (void)ip;
    return 0;
}

int host_user_memcpy(void *to, const void *from, size_t size)
{
    (void)to, (void)from, (void)size;
    return ERR_VM_BAD_USER_MEMORY;
}

int host_user_strcpy(char *to, const char *from)
{
    (void)to, (void)from;
    return ERR_VM_BAD_USER_MEMORY;
}

int host_user_strncpy(char *to, const char *from, size_t size)
{
    (void)to, (void)from, (void)size;
    return ERR_VM_BAD_USER_MEMORY;
}

int host_user_memset(void *to, char c, size_t size)
{
    (void)to, (void)c, (void)size;
    return ERR_VM_BAD_USER_MEMORY;
}

int host_vnode_from_path(const char *path, bool kernel, unsigned access, void **vnode)
{
    (void)path, (void)kernel, (void)access, (void)vnode;
    return ERR_NOT_FOUND;
}

void host_vnode_acquire(void *vnode)
{
    (void)vnode;
}

void host_vnode_release(void *vnode)
{
    (void)vnode;
}

vm_cache_ref *host_vnode_get_cache(void *vnode)
{
    (void)vnode;
    return NULL;
}

bool host_vnode_set_cache(void *vnode, vm_cache_ref *cache)
{
    (void)vnode, (void)cache;
    return false;
}

void host_vnode_clear_cache(void *vnode, vm_cache_ref *cache)
{
    (void)vnode, (void)cache;
}

off_t host_vnode_size(void *vnode)
{
    (void)vnode;
    return 0;
}

int host_vnode_read(void *vnode, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    (void)vnode, (void)offset, (void)frames, (void)count;
    *done = 0;
    return ERR_UNSUPPORTED;
}

int host_vnode_write(void *vnode, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    (void)vnode, (void)offset, (void)frames, (void)count;
    *done = 0;
    return ERR_UNSUPPORTED;
}
