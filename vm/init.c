/* SPDX-License-Identifier: MIT */
/* Starting and ending the whole. */
#include <quire/host.h>

#include "aspace.h"
#include "cache.h"
#include "print.h"
#include "range.h"
#include "system.h"

struct vm_system vm_system;

/* The part of memory that is never promised, but kept for page tables, metadata and the pages of
 * files: a sixteenth. */
#define UNPROMISED 16

static bool is_range(addr_t base, addr_t size)
{
    return size > 0 && !((base | size) & VM_PAGE_MASK) && size - 1 <= UINTPTR_MAX - base;
}

static bool is_inside(addr_t base, addr_t size, addr_t outer, addr_t outer_size)
{
    return base >= outer && base - outer < outer_size && size <= outer_size - (base - outer);
}

/* 0: the core makes its own. */
static bool is_memory_frame(const kernel_args *ka, addr_t physical)
{
    bool found = physical == 0;
    for (unsigned i = 0; i < ka->physical_memory_ranges && i < VM_MAX_PHYSICAL_RANGES; i++) {
        const struct vm_range *range = &ka->physical_memory_range[i];
        found |= is_inside(physical, VM_PAGE_SIZE, range->base, range->size);
    }
    return found && !(physical & VM_PAGE_MASK);
}

static int check_arguments(const kernel_args *ka)
{
    if (!ka || !ka->format || ka->num_cpus == 0 || ka->num_cpus > VM_MAX_CPUS ||
        ka->boot_regions > VM_MAX_BOOT_REGIONS || ka->page_daemons > VM_MAX_PAGE_DAEMONS ||
        !is_range(ka->kernel_base, ka->kernel_size) || !is_range(ka->user_base, ka->user_size) ||
        is_inside(ka->user_base, 1, ka->kernel_base, ka->kernel_size) ||
        is_inside(ka->kernel_base, 1, ka->user_base, ka->user_size) ||
        (ka->kernel_alloc_base != 0 &&
         !is_inside(ka->kernel_alloc_base, 1, ka->kernel_base, ka->kernel_size)))
        return ERR_INVALID_ARGS;
    if (!is_memory_frame(ka, ka->kernel_root))
        return ERR_INVALID_ARGS;
    for (unsigned i = 0; i < ka->boot_regions; i++) {
        const struct vm_boot_region *region = &ka->boot_region[i];
        if (!region->name || !is_range(region->base, region->size) ||
            !is_inside(region->base, region->size, ka->kernel_base, ka->kernel_size))
            return ERR_INVALID_ARGS;
    }
    return VM_OK;
}

static void copy_arguments(const kernel_args *ka)
{
    vm_lock_spins = ka->lock_spins;
    vm_system.format = ka->format;
    vm_system.frames = ka->frames;
    vm_system.kernel_root = ka->kernel_root;
    vm_system.kernel_alloc_base = ka->kernel_alloc_base;
    vm_system.user_base = ka->user_base;
    vm_system.user_size = ka->user_size;
    vm_system.all_cpus = ka->num_cpus == 64 ? UINT64_MAX : ((uint64_t)1 << ka->num_cpus) - 1;
    vm_system.next_aspace_id = 1;
    vm_system.next_region_id = 1;
    vm_system.counters.deepest_chain = 1;
    list_init(&vm_system.vnode_caches);
    list_init(&vm_system.reclaim.notices);
    vm_system.reclaim.gone = SIZE_MAX / 2; /* the first collection is due at once */
}

static int create_kernel_aspace(const kernel_args *ka)
{
    vm_address_space *aspace;
    int error = aspace_create_struct("kernel", ka->kernel_base, ka->kernel_size, true, &aspace);
    if (error != VM_OK)
        return error;
    error = aspace_register(aspace);
    if (error == VM_OK)
        vm_system.kernel_aspace = aspace;
    return error;
}

static int create_boot_regions(const kernel_args *ka)
{
    for (unsigned i = 0; i < ka->boot_regions; i++) {
        const struct vm_boot_region *boot = &ka->boot_region[i];
        void *address = (void *)boot->base;
        region_id id = vm_create_anonymous_region(
            vm_get_kernel_aspace_id(), boot->name, &address, REGION_ADDR_EXACT_ADDRESS, boot->size,
            REGION_WIRING_WIRED_ALREADY, boot->lock | LOCK_KERNEL | REGION_OVERCOMMIT);
        if (id < 0)
            return (int)id;
    }
    return VM_OK;
}

static void set_max_commit(const kernel_args *ka)
{
    size_t frames = vm_system.pages.count[VM_PAGE_FREE] + vm_system.pages.count[VM_PAGE_CLEAR];
    frames -= frames / UNPROMISED;
    vm_system.commitment.max = ka->overcommit ? INT64_MAX / 2 : (int64_t)(frames * VM_PAGE_SIZE);
}

int vm_init(kernel_args *ka)
{
    int error = check_arguments(ka);
    if (error != VM_OK)
        return error;
    vm_system = (struct vm_system){0};
    copy_arguments(ka);
    error = vm_page_init(ka);
    if (error == VM_OK)
        error = create_kernel_aspace(ka);
    if (error == VM_OK) {
        set_max_commit(ka);
        error = create_boot_regions(ka);
    }
    vm_system.started = error == VM_OK;
    return error;
}

/* The core's locks need only host_wait, which works from here on: nothing else to do. */
int vm_init_postsem(kernel_args *ka)
{
    return ka && vm_system.started ? VM_OK : ERR_INVALID_ARGS;
}

int vm_init_postthread(kernel_args *ka)
{
    if (!ka || !vm_system.started || vm_system.thread_started)
        return ERR_INVALID_ARGS;
    vm_system.commitment.logged = vm_system.commitment.max;
    int error = VM_INJECT(VM_INJECT_THREAD)
                    ? ERR_NO_MEMORY
                    : host_thread_create("max_commit_thread", vm_thread_dump_max_commit, NULL);
    vm_system.thread_started = error == VM_OK;
    if (error != VM_OK || (error = reclaim_start_daemons(ka->page_daemons)) == VM_OK)
        return error;
    reclaim_stop_daemons();
    vm_commit_stop_thread();
    vm_system.commitment.stop = 0;
    vm_system.thread_started = false;
    return error;
}

/* ---- ending ------------------------------------------------------------------------------------- */

static void delete_kernel_aspace(void)
{
    struct range_removed removed;
    vm_address_space *aspace = vm_system.kernel_aspace;
    range_removed_init(&removed);
    vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    range_remove(aspace, aspace->virtual_map.base, aspace->virtual_map.last, &removed);
    aspace_write_unlock(aspace);
    range_removed_release(&removed);
    vm_system.kernel_aspace = NULL;
    vm_put_aspace(aspace);
}

/* Pages that are neither free nor taken for good nor the array of vm_page itself. */
static size_t pages_in_use(void)
{
    const struct vm_page_pool *pool = &vm_system.pages;
    return pool->total - pool->count[VM_PAGE_FREE] - pool->count[VM_PAGE_CLEAR] -
           pool->count[VM_PAGE_UNUSED] - pool->array_frames;
}

void vm_shutdown(struct vm_leftovers *left)
{
    *left = (struct vm_leftovers){0};
    if (!vm_system.started)
        return;
    if (vm_system.thread_started)
        vm_commit_stop_thread();
    reclaim_stop_daemons();
    delete_kernel_aspace();
    left->swap_slots = swap_shutdown();
    vm_trim();
    left->aspaces = vm_system.aspaces;
    left->regions = vm_system.regions;
    left->caches = vm_system.caches;
    left->metadata_bytes = vm_system.meta.bytes;
    left->committed = vm_system.commitment.committed;
    left->pages = pages_in_use();
    vm_system.started = false;
}
