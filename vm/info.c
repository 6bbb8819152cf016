/* SPDX-License-Identifier: MIT */
#include "system.h"

static void copy_counters(vm_info *info)
{
    const struct vm_counters *c = &vm_system.counters;
    info->page_faults = c->read_faults + c->write_faults + c->execute_faults;
    info->read_faults = c->read_faults;
    info->write_faults = c->write_faults;
    info->execute_faults = c->execute_faults;
    info->zero_fills = c->zero_fills;
    info->copies = c->copies;
    info->reuses = c->reuses;
    info->page_ins = c->page_ins;
    info->mapped_around = c->mapped_around;
    info->failed_faults = c->failed_faults;
    info->kernel_recoveries = c->kernel_recoveries;
    info->page_outs = c->page_outs;
    info->tlb_flushes = c->tlb_flushes;
    info->forks = c->forks;
    info->merges = c->merges;
    uint64_t copy_reads =
        __atomic_load_n(&c->copy_reads, __ATOMIC_ACQUIRE); /* first: each is a read, too */
    info->major_faults = c->reads - copy_reads;
    info->file_pages_shared = c->file_pages_shared;
    info->most_regions = c->most_regions;
    info->most_aspaces = c->most_aspaces;
    info->deepest_chain = c->deepest_chain;
    info->evictions = c->evictions;
    info->clean_evictions = c->clean_evictions;
    info->discarded = c->discarded;
    info->swap_ins = c->swap_ins;
    info->swap_outs = c->swap_outs;
    info->refaults = c->refaults;
    info->kept = c->kept;
    info->collections = c->collections;
    info->reclaim_waits = c->reclaim_waits;
    info->write_errors = c->write_errors;
}

/* Each figure is right at some moment; together they may be of different moments. */
void vm_get_info(vm_info *info)
{
    const size_t *count = vm_system.pages.count;
    *info = (vm_info){
        .physical_page_size = VM_PAGE_SIZE,
        .physical_pages = vm_system.pages.total,
        .max_commit = vm_system.commitment.max,
        .committed = vm_system.commitment.committed,
        .active_pages = count[VM_PAGE_ACTIVE],
        .inactive_pages = count[VM_PAGE_INACTIVE],
        .modified_pages = count[VM_PAGE_MODIFIED],
        .modified_temporary_pages = count[VM_PAGE_MODIFIED_TEMPORARY],
        .free_pages = count[VM_PAGE_FREE],
        .clear_pages = count[VM_PAGE_CLEAR],
        .wired_pages = count[VM_PAGE_WIRED],
        .unused_pages = count[VM_PAGE_UNUSED],
        .busy_pages = vm_system.busy_pages,
        .aspaces = vm_system.aspaces,
        .regions = vm_system.regions,
        .caches = vm_system.caches,
        .metadata_bytes = vm_system.meta.bytes,
        .table_pages = vm_system.table_pages,
        .modified_file_pages = vm_system.modified_file_pages,
        .swap_slots = vm_system.swap.slots,
        .free_swap_slots = vm_system.swap.free,
        .available_pages = page_available(),
        .file_pages = vm_system.file_pages,
        .memory_level = (enum vm_memory_level)vm_system.reclaim.level,
    };
    copy_counters(info);
}

/* => page: of some cache, or was a moment ago */
static void count_frame(const struct vm_page *page, vm_frame_info *info)
{
    bool is_mapped = vm_atomic_load(&page->map_count, __ATOMIC_RELAXED) > 0;
    bool is_active = page->state == VM_PAGE_ACTIVE, is_inactive = page->state == VM_PAGE_INACTIVE;
    if (page->is_file) {
        info->file_pages++;
        info->mapped_file_pages += is_mapped;
        info->active_file_pages += is_active;
        info->inactive_file_pages += is_inactive;
    } else {
        info->memory_pages++;
        info->mapped_memory_pages += is_mapped;
        info->active_memory_pages += is_active;
        info->inactive_memory_pages += is_inactive;
        info->swap_cached_pages += page->swap != 0;
    }
    info->writing_pages += page->writing;
    info->discardable_pages += page->discardable;
    info->locked_pages += vm_atomic_load(&page->wire_count, __ATOMIC_RELAXED) > 0;
}

int vm_get_frame_info(vm_frame_info *info)
{
    const struct vm_page_pool *pool = &vm_system.pages;
    if (!info)
        return ERR_INVALID_ARGS;
    *info = (vm_frame_info){0};
    for (unsigned i = 0; i < pool->range_count; i++)
        for (uint64_t at = 0; at < pool->range[i].count; at++)
            if (pool->range[i].pages[at].cache)
                count_frame(&pool->range[i].pages[at], info);
    return VM_OK;
}
