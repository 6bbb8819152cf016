/* SPDX-License-Identifier: MIT */
/* For system calls: what programs pass is checked here, before anything else sees it. */
#include <quire/host.h>
#include <quire/vm.h>

#include "aspace.h"
#include "file.h"
#include "inject.h"
#include "region.h"
#include "system.h"
#include "user.h"

#define PATH_LENGTH 1024

static bool is_user(const void *pointer)
{
    return (addr_t)(uintptr_t)pointer - vm_system.user_base < vm_system.user_size;
}

bool user_is_range(const void *pointer, size_t size)
{
    addr_t offset = (addr_t)(uintptr_t)pointer - vm_system.user_base;
    return offset < vm_system.user_size && size <= vm_system.user_size - offset;
}

/* Whether a range that starts in user space stays in it; one that starts elsewhere is the kernel's. */
static bool is_one_sided(const void *pointer, size_t size)
{
    addr_t offset = (addr_t)(uintptr_t)pointer - vm_system.user_base;
    if (offset < vm_system.user_size)
        return size <= vm_system.user_size - offset;
    addr_t address = (addr_t)(uintptr_t)pointer;
    return size == 0 || (address >= vm_system.user_base && size - 1 <= UINTPTR_MAX - address);
}

int user_memcpy(void *to, const void *from, size_t size)
{
    if (!is_one_sided(to, size) || !is_one_sided(from, size))
        return ERR_VM_BAD_USER_MEMORY;
    if (size == 0)
        return VM_OK;
    return VM_INJECT(VM_INJECT_USER_COPY) ? ERR_VM_BAD_USER_MEMORY
                                          : host_user_memcpy(to, from, size);
}

/* The strings' ends are unknown: the host's copy stops where user space does, since nothing is mapped
 * for the program behind it. */
int user_strcpy(char *to, const char *from)
{
    if (!is_one_sided(to, 1) || !is_one_sided(from, 1))
        return ERR_VM_BAD_USER_MEMORY;
    return VM_INJECT(VM_INJECT_USER_COPY) ? ERR_VM_BAD_USER_MEMORY : host_user_strcpy(to, from);
}

int user_strncpy(char *to, const char *from, size_t size)
{
    if (!is_one_sided(to, 1) || !is_one_sided(from, 1))
        return ERR_VM_BAD_USER_MEMORY;
    if (size == 0)
        return VM_OK;
    return VM_INJECT(VM_INJECT_USER_COPY) ? ERR_VM_BAD_USER_MEMORY
                                          : host_user_strncpy(to, from, size);
}

int user_memset(void *s, char c, size_t count)
{
    if (!is_one_sided(s, count))
        return ERR_VM_BAD_USER_MEMORY;
    if (count == 0)
        return VM_OK;
    return VM_INJECT(VM_INJECT_USER_COPY) ? ERR_VM_BAD_USER_MEMORY : host_user_memset(s, c, count);
}

/* ---- arguments ---------------------------------------------------------------------------------- */

static int copy_name(char *name, const char *uname)
{
    if (!is_user(uname))
        return ERR_VM_BAD_USER_MEMORY;
    int error = user_strncpy(name, uname, VM_NAME_LENGTH - 1);
    name[VM_NAME_LENGTH - 1] = '\0';
    return error;
}

static int copy_path(char *path, const char *upath)
{
    if (!is_user(upath))
        return ERR_VM_BAD_USER_MEMORY;
    path[PATH_LENGTH - 1] = '\0';
    int error = user_strncpy(path, upath, PATH_LENGTH);
    if (error != VM_OK)
        return error;
    return path[PATH_LENGTH - 1] == '\0' ? VM_OK : ERR_INVALID_ARGS;
}

/* What all three creators check: they differ in what they do then. */
struct user_request {
    char name[VM_NAME_LENGTH];
    void *address;
    void **uaddress;
};

static int get_request(struct user_request *r, const char *uname, void **uaddress, unsigned lock)
{
    if (lock & LOCK_KERNEL)
        return ERR_PERMISSION_DENIED;
    if (!is_user(uaddress))
        return ERR_VM_BAD_USER_MEMORY;
    r->uaddress = uaddress;
    int error = copy_name(r->name, uname);
    return error == VM_OK ? user_memcpy(&r->address, uaddress, sizeof r->address) : error;
}

/* A program that can't be told where its region is doesn't get one. */
static region_id put_result(const struct user_request *r, region_id id)
{
    if (id < 0)
        return id;
    int error = user_memcpy(r->uaddress, &r->address, sizeof r->address);
    if (error == VM_OK)
        return id;
    (void)vm_delete_region(vm_get_current_user_aspace_id(), id);
    return error;
}

/* ---- calls -------------------------------------------------------------------------------------- */

region_id user_vm_create_anonymous_region(char *uname, void **uaddress, int addr_type, addr_t size,
                                          int wiring, unsigned lock)
{
    struct user_request r;
    if (wiring == REGION_WIRING_WIRED_ALREADY || wiring == REGION_WIRING_WIRED_CONTIG)
        return ERR_PERMISSION_DENIED;
    int error = get_request(&r, uname, uaddress, lock);
    if (error != VM_OK)
        return error;
    return put_result(&r, vm_create_anonymous_region(vm_get_current_user_aspace_id(), r.name,
                                                     &r.address, addr_type, size, wiring, lock));
}

region_id user_vm_map_file(char *uname, void **uaddress, int addr_type, addr_t size, unsigned lock,
                           int mapping, const char *upath, off_t offset)
{
    struct user_request r;
    char path[PATH_LENGTH];
    int error = get_request(&r, uname, uaddress, lock);
    if (error == VM_OK)
        error = copy_path(path, upath);
    if (error != VM_OK)
        return error;
    return put_result(&r, _vm_map_file(vm_get_current_user_aspace_id(), r.name, &r.address,
                                       addr_type, size, lock, mapping, path, offset, false));
}

/* Whether the program may map what this region maps: its own, or what its owner shares; and never
 * with more rights than the region has. */
static int may_clone(region_id source, int mapping, unsigned lock)
{
    vm_region *region = vm_get_region_by_id(source);
    vm_address_space *owner = region ? region_get_aspace(region) : NULL;
    int error = VM_OK;
    if (!owner)
        error = ERR_VM_INVALID_REGION;
    else if (owner->id != vm_get_current_user_aspace_id() && !(region->lock & REGION_SHARED))
        error = ERR_VM_INVALID_REGION;
    else if ((region->lock & LOCK_KERNEL) || (region->lock & LOCK_NO_READ) ||
             (mapping == REGION_NO_PRIVATE_MAP && (lock & LOCK_RW) && !(region->lock & LOCK_RW)))
        error = ERR_PERMISSION_DENIED;
    if (owner)
        vm_put_aspace(owner);
    vm_put_region(region);
    return error;
}

region_id user_vm_clone_region(char *uname, void **uaddress, int addr_type, region_id source_region,
                               int mapping, unsigned lock)
{
    struct user_request r;
    int error = get_request(&r, uname, uaddress, lock);
    if (error == VM_OK)
        error = may_clone(source_region, mapping, lock);
    if (error != VM_OK)
        return error;
    return put_result(&r, vm_clone_region(vm_get_current_user_aspace_id(), r.name, &r.address,
                                          addr_type, source_region, mapping, lock));
}

int user_vm_delete_region(region_id id)
{
    return vm_delete_region(vm_get_current_user_aspace_id(), id);
}

/* What programs get has no padding in which bytes of the kernel's stack could go along. */
_Static_assert(sizeof(vm_region_info) ==
                   19 * sizeof(uint64_t) + 6 * sizeof(uint32_t) + VM_NAME_LENGTH,
               "vm_region_info");
_Static_assert(offsetof(vm_info, memory_level) + sizeof(enum vm_memory_level) ==
                   offsetof(vm_info, metadata_bytes),
               "vm_info");

int user_vm_get_region_info(region_id id, vm_region_info *uinfo)
{
    vm_region_info info;
    if (!is_user(uinfo))
        return ERR_VM_BAD_USER_MEMORY;
    vm_region *region = vm_get_region_by_id(id);
    vm_address_space *owner = region ? region_get_aspace(region) : NULL;
    bool own = owner && owner->id == vm_get_current_user_aspace_id();
    if (owner)
        vm_put_aspace(owner);
    vm_put_region(region);
    int error = own ? vm_get_region_info(id, &info) : ERR_VM_INVALID_REGION;
    info.vnode = NULL; /* a kernel address is not for programs */
    return error == VM_OK ? user_memcpy(uinfo, &info, sizeof info) : error;
}

int user_vm_get_vm_info(vm_info *uinfo)
{
    vm_info info;
    if (!is_user(uinfo))
        return ERR_VM_BAD_USER_MEMORY;
    vm_get_info(&info);
    return user_memcpy(uinfo, &info, sizeof info);
}
