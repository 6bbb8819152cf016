/* SPDX-License-Identifier: MIT */
/* The life of an address space: its creator's reference keeps it, deletion empties it, and the last
 * reference frees it. Its id is in the table as long as the structure is there. */
#include "aspace.h"

#include <quire/host.h>

#include "cache.h"
#include "count.h"
#include "meta.h"
#include "print.h"
#include "range.h"
#include "system.h"

/* ---- structures --------------------------------------------------------------------------------- */

static addr_t alloc_base_of(addr_t base, bool kernel)
{
    return kernel && vm_system.kernel_alloc_base > base ? vm_system.kernel_alloc_base : base;
}

int aspace_create_struct(const char *name, addr_t base, addr_t size, bool kernel,
                         vm_address_space **created)
{
    vm_address_space *aspace = meta_alloc_clear(sizeof *aspace);
    if (!aspace)
        return ERR_NO_MEMORY;
    const struct vm_translation_map *from =
        vm_system.kernel_aspace ? &vm_system.kernel_aspace->translation_map : NULL;
    struct vm_translation_map *tmap = &aspace->translation_map;
    int error = kernel ? tmap_init_kernel(tmap, vm_system.format, vm_system.kernel_root, base,
                                          base + (size - 1))
                       : tmap_init(tmap, vm_system.format, from);
    if (error != VM_OK) {
        vm_meta_free(aspace, sizeof *aspace);
        return error;
    }
    aspace->magic = VM_ASPACE_MAGIC;
    aspace->ref_count = 1;
    aspace->state = VM_ASPACE_NORMAL;
    vm_virtual_map_init(&aspace->virtual_map, base, size, alloc_base_of(base, kernel));
    for (size_t i = 0; i < VM_NAME_LENGTH - 1 && name[i]; i++)
        aspace->name[i] = name[i];
    *created = aspace;
    return VM_OK;
}

void aspace_destroy(vm_address_space *aspace)
{
    VM_ASSERT(aspace->virtual_map.count == 0);
    vm_virtual_map_destroy(&aspace->virtual_map);
    tmap_release(&aspace->translation_map, aspace->virtual_map.base, aspace->virtual_map.last);
    tmap_destroy(&aspace->translation_map);
    aspace->magic = 0;
    vm_meta_free(aspace, sizeof *aspace);
}

/* ---- the table of ids --------------------------------------------------------------------------- */

int aspace_register(vm_address_space *aspace)
{
    vm_mutex_lock(&vm_system.table_lock, VM_RANK_TABLE);
    aspace->id = vm_system.next_aspace_id;
    int error = radix_insert(&vm_system.aspace_table, (uint64_t)aspace->id, aspace);
    if (error != VM_OK) {
        aspace->id = 0;
    } else {
        vm_system.next_aspace_id++;
        if (++vm_system.aspaces > vm_system.counters.most_aspaces)
            vm_system.counters.most_aspaces = vm_system.aspaces;
    }
    vm_mutex_unlock(&vm_system.table_lock);
    return error;
}

vm_address_space *vm_get_aspace_by_id(aspace_id aid)
{
    vm_address_space *aspace = NULL;
    vm_mutex_lock(&vm_system.table_lock, VM_RANK_TABLE);
    if (aid > 0)
        aspace = radix_lookup(&vm_system.aspace_table, (uint64_t)aid);
    if (aspace)
        count_reference(&aspace->ref_count);
    vm_mutex_unlock(&vm_system.table_lock);
    return aspace;
}

/* The last reference is given back under the table's lock, so that nobody finds the space by its id
 * and then holds freed memory. */
void vm_put_aspace(vm_address_space *aspace)
{
    VM_ASSERT(aspace->magic == VM_ASPACE_MAGIC);
    uint32_t count = vm_atomic_load(&aspace->ref_count, __ATOMIC_RELAXED);
    while (count > 1)
        if (vm_atomic_compare_exchange(&aspace->ref_count, &count, count - 1, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return;
    vm_mutex_lock(&vm_system.table_lock, VM_RANK_TABLE);
    bool last = vm_atomic_sub_fetch(&aspace->ref_count, 1, __ATOMIC_ACQ_REL) == 0;
    if (last && aspace->id != 0) {
        (void)radix_remove(&vm_system.aspace_table, (uint64_t)aspace->id);
        vm_system.aspaces--;
    }
    vm_mutex_unlock(&vm_system.table_lock);
    if (last)
        aspace_destroy(aspace);
}

int aspace_get_locked(aspace_id aid, vm_address_space **aspace)
{
    *aspace = vm_get_aspace_by_id(aid);
    if (!*aspace)
        return ERR_VM_INVALID_ASPACE;
    vm_write_lock(&(*aspace)->virtual_map.lock, VM_RANK_MAP);
    if ((*aspace)->state == VM_ASPACE_NORMAL)
        return VM_OK;
    aspace_put_locked(*aspace);
    return ERR_VM_INVALID_ASPACE;
}

void aspace_put_locked(vm_address_space *aspace)
{
    aspace_write_unlock(aspace);
    vm_put_aspace(aspace);
}

int aspace_get_read_locked(aspace_id aid, vm_address_space **aspace)
{
    *aspace = vm_get_aspace_by_id(aid);
    if (!*aspace)
        return ERR_VM_INVALID_ASPACE;
    vm_read_lock(&(*aspace)->virtual_map.lock, VM_RANK_MAP);
    if ((*aspace)->state == VM_ASPACE_NORMAL)
        return VM_OK;
    aspace_put_read_locked(*aspace);
    return ERR_VM_INVALID_ASPACE;
}

void aspace_put_read_locked(vm_address_space *aspace)
{
    vm_read_unlock(&aspace->virtual_map.lock);
    vm_put_aspace(aspace);
}

/* ---- creating and deleting ---------------------------------------------------------------------- */

static int check_new_aspace(addr_t base, addr_t size)
{
    if (size == 0)
        return ERR_INVALID_ARGS;
    if (((base | size) & VM_PAGE_MASK) || base < vm_system.user_base ||
        base - vm_system.user_base >= vm_system.user_size ||
        size > vm_system.user_size - (base - vm_system.user_base))
        return ERR_VM_BAD_ADDRESS;
    return VM_OK;
}

aspace_id vm_create_aspace(const char *name, addr_t base, addr_t size, bool kernel)
{
    vm_address_space *aspace;
    if (!name || kernel)
        return ERR_INVALID_ARGS;
    int error = check_new_aspace(base, size);
    if (error == VM_OK)
        error = aspace_create_struct(name, base, size, false, &aspace);
    if (error != VM_OK)
        return error;
    error = aspace_register(aspace);
    if (error == VM_OK)
        return aspace->id;
    aspace_destroy(aspace);
    return error;
}

int vm_delete_aspace(aspace_id aid)
{
    vm_address_space *aspace;
    struct range_removed removed;
    if (vm_system.kernel_aspace && aid == vm_system.kernel_aspace->id)
        return ERR_INVALID_ARGS;
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    range_removed_init(&removed);
    aspace->state = VM_ASPACE_DELETION;
    range_remove(aspace, aspace->virtual_map.base, aspace->virtual_map.last, &removed);
    aspace_write_unlock(aspace);
    range_removed_release(&removed);
    vm_put_aspace(aspace); /* ours */
    vm_put_aspace(aspace); /* the creator's */
    return VM_OK;
}

/* ---- getting ------------------------------------------------------------------------------------ */

vm_address_space *vm_get_kernel_aspace(void)
{
    count_reference(&vm_system.kernel_aspace->ref_count);
    return vm_system.kernel_aspace;
}

aspace_id vm_get_kernel_aspace_id(void)
{
    return vm_system.kernel_aspace->id;
}

vm_address_space *vm_get_current_user_aspace(void)
{
    vm_address_space *aspace = host_current_aspace();
    if (aspace)
        count_reference(&aspace->ref_count);
    return aspace;
}

aspace_id vm_get_current_user_aspace_id(void)
{
    const vm_address_space *aspace = host_current_aspace();
    return aspace ? aspace->id : ERR_VM_INVALID_ASPACE;
}

aspace_id vm_aspace_id(const vm_address_space *aspace)
{
    return aspace->id;
}

int vm_set_aspace_owner(aspace_id aid, void *owner)
{
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    if (!aspace)
        return ERR_VM_INVALID_ASPACE;
    vm_atomic_store(&aspace->owner, owner, __ATOMIC_RELEASE);
    vm_put_aspace(aspace);
    return VM_OK;
}

void *vm_aspace_owner(const vm_address_space *aspace)
{
    return vm_atomic_load(&aspace->owner, __ATOMIC_ACQUIRE);
}

int vm_aspace_walk_start(struct hash_iterator *i)
{
    if (!i)
        return ERR_INVALID_ARGS;
    i->next = 1;
    return VM_OK;
}

vm_address_space *vm_aspace_walk_next(struct hash_iterator *i)
{
    uint64_t key = (uint64_t)i->next;
    vm_mutex_lock(&vm_system.table_lock, VM_RANK_TABLE);
    vm_address_space *aspace = radix_next(&vm_system.aspace_table, &key);
    if (aspace) {
        count_reference(&aspace->ref_count);
        i->next = aspace->id + 1;
    }
    vm_mutex_unlock(&vm_system.table_lock);
    return aspace;
}

addr_t vm_enter_aspace(vm_address_space *aspace, unsigned cpu)
{
    vm_atomic_fetch_or(&aspace->translation_map.cpus, (uint64_t)1 << cpu, __ATOMIC_SEQ_CST);
    return aspace->translation_map.root;
}

void vm_leave_aspace(vm_address_space *aspace, unsigned cpu)
{
    vm_atomic_fetch_and(&aspace->translation_map.cpus, ~((uint64_t)1 << cpu), __ATOMIC_SEQ_CST);
}
