/* SPDX-License-Identifier: MIT */
/* What /proc says of a process's memory, region by region and in sum, in Linux's formats. */
#include "proc.h"
#include "ramfs.h"
#include <kernel/process.h>
#include <kernel/string.h>

static bool is_heap(const struct user_memory *memory, const vm_region_info *info)
{
    return info->base < memory->brk_end && info->base + info->size > memory->brk_start;
}

static bool is_private(const vm_region_info *info)
{
    return info->mapping == REGION_PRIVATE_MAP ||
           (info->vnode == NULL && (info->lock & REGION_SHARED) == 0);
}

static void write_region(struct proc_text *text, const struct user_memory *memory,
                         const vm_region_info *info)
{
    char line[128], path[256];
    const struct vnode *vnode = info->vnode;
    bool readable = (info->lock & LOCK_NO_READ) == 0;
    const char *name = "";
    if (vnode != NULL)
        name = vnode_path_locked(vnode, path, sizeof(path)) >= 0 ? path : "(deleted)";
    else if ((info->lock & REGION_GROWS_DOWN) != 0)
        name = "[stack]";
    else if (is_heap(memory, info))
        name = "[heap]";
    int length = format_text(
        line, sizeof(line), "%08lx-%08lx %c%c%c%c %08lx 00:%02x %lu ", info->base,
        info->base + info->size, readable ? 'r' : '-', (info->lock & LOCK_RW) != 0 ? 'w' : '-',
        (info->lock & LOCK_EXECUTE) != 0 ? 'x' : '-', is_private(info) ? 'p' : 's',
        vnode != NULL ? (unsigned long)info->cache_offset : 0ul, vnode != NULL ? 1u : 0u,
        vnode != NULL ? vnode->inode : 0ul);
    if (*name != '\0')
        proc_text_add(text, "%s%*s%s\n", line, length < 73 ? 73 - length : 0, "", name);
    else
        proc_text_add(text, "%s\n", line);
}

/* Of regions in a row, what smaps says of each. */
struct usage {
    size_t resident, shared, modified, shared_modified, memory, referenced, discardable, swapped;
    uint64_t proportional, proportional_swap, locked;
};

static void add_usage(struct usage *usage, const vm_region_info *info)
{
    usage->resident += info->resident_pages;
    usage->shared += info->shared_pages;
    usage->modified += info->modified_pages;
    usage->shared_modified += info->shared_modified_pages;
    if (is_private(info))
        usage->memory += info->memory_pages;
    usage->referenced += info->referenced_pages;
    usage->discardable += info->discardable_pages;
    usage->swapped += info->swapped_pages;
    usage->proportional += info->proportional_size;
    usage->proportional_swap += info->proportional_swap;
    if (info->wiring == REGION_WIRING_WIRED)
        usage->locked += info->proportional_size;
}

static void line(struct proc_text *text, const char *name, uint64_t kib)
{
    proc_text_add(text, "%-16s%8lu kB\n", name, kib);
}

static void write_usage(struct proc_text *text, const struct usage *usage)
{
    size_t own = usage->resident - usage->shared,
           own_modified = usage->modified - usage->shared_modified;
    line(text, "Rss:", KIB(usage->resident));
    line(text, "Pss:", usage->proportional / 1024);
    line(text, "Shared_Clean:", KIB(usage->shared - usage->shared_modified));
    line(text, "Shared_Dirty:", KIB(usage->shared_modified));
    line(text, "Private_Clean:", KIB(own - own_modified));
    line(text, "Private_Dirty:", KIB(own_modified));
    line(text, "Referenced:", KIB(usage->referenced));
    line(text, "Anonymous:", KIB(usage->memory));
    line(text, "LazyFree:", KIB(usage->discardable));
    line(text, "Swap:", KIB(usage->swapped));
    line(text, "SwapPss:", usage->proportional_swap / 1024);
    line(text, "Locked:", usage->locked / 1024);
}

/* Those of Linux's that mean something here, in its order. */
static void write_flags(struct proc_text *text, const vm_region_info *info)
{
    const struct {
        bool is_set;
        const char *name;
    } flags[] = {
        {(info->lock & LOCK_NO_READ) == 0, "rd"},
        {(info->lock & LOCK_RW) != 0, "wr"},
        {(info->lock & LOCK_EXECUTE) != 0, "ex"},
        {!is_private(info), "sh"},
        {(info->lock & REGION_GROWS_DOWN) != 0, "gd"},
        {info->wiring == REGION_WIRING_WIRED, "lo"},
        {info->advice == VM_ADVICE_SEQUENTIAL, "sr"},
        {info->advice == VM_ADVICE_RANDOM, "rr"},
        {info->inherit == VM_INHERIT_NONE, "dc"},
        {(info->lock & REGION_OVERCOMMIT) != 0, "nr"},
    };
    proc_text_add(text, "VmFlags: ");
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (flags[i].is_set)
            proc_text_add(text, "%s ", flags[i].name);
    proc_text_add(text, "\n");
}

static void write_region_usage(struct proc_text *text, const struct user_memory *memory,
                               const vm_region_info *info)
{
    struct usage usage = {0};
    add_usage(&usage, info);
    write_region(text, memory, info);
    line(text, "Size:", info->size / 1024);
    line(text, "KernelPageSize:", KIB(1ul));
    line(text, "MMUPageSize:", KIB(1ul));
    write_usage(text, &usage);
    write_flags(text, info);
}

/* A region's file is named under the lock that keeps named files from going. */
static void write_regions(struct proc_text *text, struct process *process,
                          void (*write)(struct proc_text *text, const struct user_memory *memory,
                                        const vm_region_info *info))
{
    struct user_memory *memory = process_get_memory(process);
    vm_region_info info;
    addr_t cookie = 0;
    bool more = memory != NULL;
    while (more && !text->failed) {
        mutex_lock(&namespace_lock);
        more = vm_get_next_region_info(memory->id, &cookie, &info) == VM_OK;
        if (more)
            write(text, memory, &info);
        mutex_unlock(&namespace_lock);
    }
    if (memory != NULL)
        user_memory_put(memory);
}

void proc_write_maps(struct proc_text *text, struct process *process)
{
    write_regions(text, process, write_region);
}

void proc_write_smaps(struct proc_text *text, struct process *process)
{
    write_regions(text, process, write_region_usage);
}

void proc_write_smaps_rollup(struct proc_text *text, struct process *process)
{
    struct user_memory *memory = process_get_memory(process);
    struct usage usage = {0};
    addr_t cookie = 0, first = 0;
    vm_region_info info;
    if (memory == NULL)
        return;
    while (vm_get_next_region_info(memory->id, &cookie, &info) == VM_OK) {
        first = first != 0 ? first : info.base;
        add_usage(&usage, &info);
    }
    user_memory_put(memory);
    proc_text_add(text, "%08lx-%08lx ---p 00000000 00:00 0 %*s[rollup]\n", first, cookie, 27, "");
    write_usage(text, &usage);
}

/* ---- sums -------------------------------------------------------------------------------------------- */

static void add_region(struct proc_memory *sum, const vm_region_info *info)
{
    bool writes = (info->lock & LOCK_RW) != 0;
    sum->size += info->size;
    sum->resident_pages += info->resident_pages;
    if (is_private(info))
        sum->memory_pages += info->memory_pages;
    else if (info->vnode == NULL)
        sum->shared_pages += info->resident_pages;
    sum->swapped_pages += info->swapped_pages;
    sum->faults += info->faults;
    sum->refaults += info->refaults;
    if (info->wiring == REGION_WIRING_WIRED)
        sum->locked += info->size;
    if ((info->lock & REGION_GROWS_DOWN) != 0)
        sum->stack += info->size;
    else if (writes && is_private(info))
        sum->data += info->size;
    else if (!writes && (info->lock & LOCK_EXECUTE) != 0)
        sum->text += info->size;
}

struct proc_memory proc_count_memory(struct process *process)
{
    struct user_memory *memory = process_get_memory(process);
    struct proc_memory sum = {0};
    vm_region_info info;
    addr_t cookie = 0;
    if (memory == NULL)
        return sum;
    while (vm_get_next_region_info(memory->id, &cookie, &info) == VM_OK)
        add_region(&sum, &info);
    user_memory_put(memory);
    return sum;
}

void proc_write_statm(struct proc_text *text, struct process *process)
{
    struct proc_memory sum = proc_count_memory(process);
    proc_text_add(text, "%zu %zu %zu %zu 0 %zu 0\n", sum.size / VM_PAGE_SIZE, sum.resident_pages,
                  sum.resident_pages - sum.memory_pages, sum.text / VM_PAGE_SIZE,
                  (sum.data + sum.stack) / VM_PAGE_SIZE);
}

static void status_line(struct proc_text *text, const char *name, size_t kib)
{
    proc_text_add(text, "%s\t%8zu kB\n", name, kib);
}

void proc_write_memory_status(struct proc_text *text, struct process *process)
{
    struct proc_memory sum = proc_count_memory(process);
    status_line(text, "VmSize:", sum.size / 1024);
    status_line(text, "VmLck:", sum.locked / 1024);
    status_line(text, "VmRSS:", KIB(sum.resident_pages));
    status_line(text, "RssAnon:", KIB(sum.memory_pages));
    status_line(text, "RssFile:", KIB(sum.resident_pages - sum.memory_pages - sum.shared_pages));
    status_line(text, "RssShmem:", KIB(sum.shared_pages));
    status_line(text, "VmData:", sum.data / 1024);
    status_line(text, "VmStk:", sum.stack / 1024);
    status_line(text, "VmExe:", sum.text / 1024);
    status_line(text, "VmSwap:", KIB(sum.swapped_pages));
}
