/* SPDX-License-Identifier: MIT */
/* What /proc says of the system's memory, in Linux's formats. Lines of which nothing is known are left out. */
#include "device/block.h"
#include "proc.h"
#include "process/oom.h"

static void line(struct proc_text *text, const char *name, uint64_t kib)
{
    proc_text_add(text, "%-15s %8lu kB\n", name, kib);
}

/* What is mapped in the kernel's own space, all of it wired: stacks, mostly. Linux counts that apart. */
static void leave_out_kernel(vm_frame_info *frames)
{
    addr_t cookie = 0;
    vm_region_info info;
    while (vm_get_next_region_info(vm_get_kernel_aspace_id(), &cookie, &info) == VM_OK) {
        frames->memory_pages -= info.memory_pages;
        frames->mapped_memory_pages -= info.memory_pages;
        frames->locked_pages -= info.memory_pages;
    }
}

static void write_pages(struct proc_text *text, const vm_info *info, const vm_frame_info *frames)
{
    size_t active = frames->active_memory_pages + frames->active_file_pages;
    size_t inactive = frames->inactive_memory_pages + frames->inactive_file_pages;
    line(text, "MemTotal:", KIB(info->physical_pages));
    line(text, "MemFree:", KIB(info->free_pages + info->clear_pages));
    line(text, "MemAvailable:", KIB(info->available_pages + info->file_pages));
    line(text, "Buffers:", 0);
    line(text, "Cached:", KIB(frames->file_pages));
    line(text, "SwapCached:", KIB(frames->swap_cached_pages));
    line(text, "Active:", KIB(active));
    line(text, "Inactive:", KIB(inactive));
    line(text, "Active(anon):", KIB(frames->active_memory_pages));
    line(text, "Inactive(anon):", KIB(frames->inactive_memory_pages));
    line(text, "Active(file):", KIB(frames->active_file_pages));
    line(text, "Inactive(file):", KIB(frames->inactive_file_pages));
    line(text, "Unevictable:", KIB(frames->locked_pages));
    line(text, "Mlocked:", KIB(frames->locked_pages));
    line(text, "SwapTotal:", KIB(info->swap_slots));
    line(text, "SwapFree:", KIB(info->free_swap_slots));
    line(text, "Dirty:", KIB(info->modified_file_pages));
    line(text, "Writeback:", KIB(frames->writing_pages));
    line(text, "AnonPages:", KIB(frames->mapped_memory_pages));
    line(text, "Mapped:", KIB(frames->mapped_file_pages));
}

void proc_write_meminfo(struct proc_text *text, struct process *process)
{
    vm_info info;
    vm_frame_info frames;
    (void)process;
    vm_get_info(&info);
    (void)vm_get_frame_info(&frames);
    leave_out_kernel(&frames);
    write_pages(text, &info, &frames);
    line(text, "Slab:", info.metadata_bytes / 1024);
    line(text, "SReclaimable:", 0);
    line(text, "SUnreclaim:", info.metadata_bytes / 1024);
    line(text, "PageTables:", KIB(info.table_pages));
    line(text, "CommitLimit:", (uint64_t)info.max_commit / 1024);
    line(text, "Committed_AS:", (uint64_t)info.committed / 1024);
}

/* ---- vmstat ------------------------------------------------------------------------------------------ */

static void count(struct proc_text *text, const char *name, uint64_t value)
{
    proc_text_add(text, "%s %lu\n", name, value);
}

static void count_pages(struct proc_text *text, const vm_info *info, const vm_frame_info *frames)
{
    count(text, "nr_free_pages", info->free_pages + info->clear_pages);
    count(text, "nr_mlock", frames->locked_pages);
    count(text, "nr_inactive_anon", frames->inactive_memory_pages);
    count(text, "nr_active_anon", frames->active_memory_pages);
    count(text, "nr_inactive_file", frames->inactive_file_pages);
    count(text, "nr_active_file", frames->active_file_pages);
    count(text, "nr_unevictable", frames->locked_pages);
    count(text, "nr_slab_reclaimable", 0);
    count(text, "nr_slab_unreclaimable", info->metadata_bytes / VM_PAGE_SIZE);
    count(text, "nr_anon_pages", frames->mapped_memory_pages);
    count(text, "nr_mapped", frames->mapped_file_pages);
    count(text, "nr_file_pages", frames->file_pages + frames->swap_cached_pages);
    count(text, "nr_dirty", info->modified_file_pages);
    count(text, "nr_writeback", frames->writing_pages);
    count(text, "nr_written", info->page_outs);
    count(text, "nr_page_table_pages", info->table_pages);
    count(text, "nr_swapcached", frames->swap_cached_pages);
}

/* In KiB, as Linux has it. */
static void count_transfers(struct proc_text *text)
{
    uint64_t bytes_read = 0, bytes_written = 0;
    for (unsigned i = 0; i < block_count(); i++) {
        bytes_read += block_at(i)->bytes_read;
        bytes_written += block_at(i)->bytes_written;
    }
    count(text, "pgpgin", bytes_read / 1024);
    count(text, "pgpgout", bytes_written / 1024);
}

void proc_write_vmstat(struct proc_text *text, struct process *process)
{
    vm_info info;
    vm_frame_info frames;
    (void)process;
    vm_get_info(&info);
    (void)vm_get_frame_info(&frames);
    leave_out_kernel(&frames);
    count_pages(text, &info, &frames);
    count_transfers(text);
    count(text, "pswpin", info.swap_ins);
    count(text, "pswpout", info.swap_outs);
    count(text, "pgfault", info.page_faults);
    count(text, "pgmajfault", info.major_faults);
    count(text, "pglazyfreed", info.discarded);
    count(text, "pgreuse", info.reuses);
    count(text, "oom_kill", out_of_memory_ended());
}

/* ---- swaps ------------------------------------------------------------------------------------------- */

/* They are filled in turn, as Linux does with falling priorities. */
void proc_write_swaps(struct proc_text *text, struct process *process)
{
    vm_swap_info area;
    (void)process;
    proc_text_add(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    for (unsigned i = 0; vm_get_swap_info(i, &area) == VM_OK; i++) {
        uint64_t size = KIB(area.slots), used = KIB(area.used_slots);
        proc_text_add(text, "%-40spartition\t%lu\t%s%lu\t%s%d\n", area.name, size,
                      size < 10000000 ? "\t" : "", used, used < 10000000 ? "\t" : "", -2 - (int)i);
    }
}
