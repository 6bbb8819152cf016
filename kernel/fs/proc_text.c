/* SPDX-License-Identifier: MIT */
/* What the files of /proc say, in Linux's formats. */
#include "proc.h"
#include "ramfs.h"
#include <kernel/process.h>
#include <kernel/string.h>
#include <quire/host.h>

#define KIB(pages) ((pages) * (VM_PAGE_SIZE / 1024))

static bool grow(struct proc_text *text, size_t more)
{
    size_t capacity = text->capacity != 0 ? text->capacity : 1024;
    if (text->failed)
        return false;
    if (text->length + more <= text->capacity)
        return true;
    while (capacity < text->length + more)
        capacity *= 2;
    char *data = vm_meta_alloc(capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    if (text->data != NULL) {
        memcpy(data, text->data, text->length);
        vm_meta_free(text->data, text->capacity);
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void proc_text_add_bytes(struct proc_text *text, const void *bytes, size_t size)
{
    if (grow(text, size)) {
        memcpy(text->data + text->length, bytes, size);
        text->length += size;
    }
}

void proc_text_add(struct proc_text *text, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = format_text_v(line, sizeof(line), format, arguments);
    va_end(arguments);
    size_t size = (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1;
    proc_text_add_bytes(text, line, size);
}

void proc_text_free(struct proc_text *text)
{
    if (text->data != NULL)
        vm_meta_free(text->data, text->capacity);
    *text = (struct proc_text){0};
}

/* ---- the system ------------------------------------------------------------------------------------ */

void proc_write_meminfo(struct proc_text *text, struct process *process)
{
    vm_info info;
    (void)process;
    vm_get_info(&info);
    size_t unused = info.free_pages + info.clear_pages;
    proc_text_add(text, "MemTotal:       %8lu kB\n", KIB(info.physical_pages));
    proc_text_add(text, "MemFree:        %8lu kB\n", KIB(unused));
    proc_text_add(text, "MemAvailable:   %8lu kB\n", KIB(info.available_pages + info.file_pages));
    proc_text_add(text, "Buffers:        %8lu kB\n", 0ul);
    proc_text_add(text, "Cached:         %8lu kB\n", KIB(info.file_pages));
    proc_text_add(text, "Active:         %8lu kB\n", KIB(info.active_pages));
    proc_text_add(text, "Inactive:       %8lu kB\n", KIB(info.inactive_pages));
    proc_text_add(text, "SwapTotal:      %8lu kB\n", KIB(info.swap_slots));
    proc_text_add(text, "SwapFree:       %8lu kB\n", KIB(info.free_swap_slots));
    proc_text_add(text, "Dirty:          %8lu kB\n", KIB(info.modified_file_pages));
    proc_text_add(text, "PageTables:     %8lu kB\n", KIB(info.table_pages));
    proc_text_add(text, "CommitLimit:    %8ld kB\n", (long)(info.max_commit / 1024));
    proc_text_add(text, "Committed_AS:   %8ld kB\n", (long)(info.committed / 1024));
}

void proc_write_uptime(struct proc_text *text, struct process *process)
{
    uint64_t hundredths = host_time_ns() / 10000000;
    (void)process;
    proc_text_add(text, "%lu.%02lu 0.00\n", hundredths / 100, hundredths % 100);
}

void proc_write_mounts(struct proc_text *text, struct process *process)
{
    (void)process;
    proc_text_add(text, "ram / tmpfs rw 0 0\nproc /proc proc rw 0 0\n");
}

void proc_write_version(struct proc_text *text, struct process *process)
{
    (void)process;
    proc_text_add(text, "Quire reference kernel\n");
}

void proc_write_loadavg(struct proc_text *text, struct process *process)
{
    (void)process;
    proc_text_add(text, "0.00 0.00 0.00 1/%u 1\n", process_count());
}

void proc_write_system_stat(struct proc_text *text, struct process *process)
{
    (void)process;
    proc_text_add(text, "cpu  0 0 0 %lu 0 0 0 0 0 0\n", host_time_ns() / 10000000);
    proc_text_add(text, "processes %u\nprocs_running 1\n", process_count());
}

/* ---- a process ------------------------------------------------------------------------------------- */

static bool is_heap(const struct user_memory *memory, const vm_region_info *info)
{
    return info->base < memory->brk_end && info->base + info->size > memory->brk_start;
}

static void write_region(struct proc_text *text, const struct user_memory *memory,
                         const vm_region_info *info)
{
    char line[128], path[256];
    const struct vnode *vnode = info->vnode;
    bool readable = (info->lock & LOCK_NO_READ) == 0;
    bool is_private =
        info->mapping == REGION_PRIVATE_MAP || (vnode == NULL && (info->lock & REGION_SHARED) == 0);
    const char *name = "";
    if (vnode != NULL)
        name = vnode_path_locked(vnode, path, sizeof(path)) >= 0 ? path : "(deleted)";
    else if ((info->lock & REGION_GROWS_DOWN) != 0)
        name = "[stack]";
    else if (is_heap(memory, info))
        name = "[heap]";
    int length = format_text(line, sizeof(line), "%08lx-%08lx %c%c%c%c %08lx 00:%02x %lu ",
                             info->base, info->base + info->size, readable ? 'r' : '-',
                             (info->lock & LOCK_RW) != 0 ? 'w' : '-',
                             (info->lock & LOCK_EXECUTE) != 0 ? 'x' : '-', is_private ? 'p' : 's',
                             vnode != NULL ? (unsigned long)info->cache_offset : 0ul,
                             vnode != NULL ? 1u : 0u, vnode != NULL ? vnode->inode : 0ul);
    if (*name != '\0')
        proc_text_add(text, "%s%*s%s\n", line, length < 73 ? 73 - length : 0, "", name);
    else
        proc_text_add(text, "%s\n", line);
}

/* A region's file is named under the lock that keeps named files from going. */
void proc_write_maps(struct proc_text *text, struct process *process)
{
    struct user_memory *memory = process_get_memory(process);
    vm_region_info info;
    addr_t cookie = 0;
    bool more = memory != NULL;
    while (more && !text->failed) {
        mutex_lock(&namespace_lock);
        more = vm_get_next_region_info(memory->id, &cookie, &info) == VM_OK;
        if (more)
            write_region(text, memory, &info);
        mutex_unlock(&namespace_lock);
    }
    if (memory != NULL)
        user_memory_put(memory);
}

static void count_memory(struct process *process, size_t *size, size_t *resident)
{
    struct user_memory *memory = process_get_memory(process);
    vm_region_info info;
    addr_t cookie = 0;
    *size = *resident = 0;
    if (memory == NULL)
        return;
    while (vm_get_next_region_info(memory->id, &cookie, &info) == VM_OK) {
        *size += info.size;
        *resident += info.resident_pages;
    }
    user_memory_put(memory);
}

static char state_letter(const struct process *process)
{
    if (process->state == PROCESS_ZOMBIE)
        return 'Z';
    if (process->state == PROCESS_STOPPED)
        return 'T';
    return process->thread != NULL && process->thread->state == THREAD_WAITING ? 'S' : 'R';
}

static int32_t parent_pid(const struct process *process)
{
    return process->parent != NULL ? process->parent->pid : 0;
}

static unsigned long ticks(uint64_t nanoseconds)
{
    return nanoseconds / NS_PER_TICK;
}

void proc_write_stat(struct proc_text *text, struct process *process)
{
    const struct process_times *times = &process->times;
    size_t size, resident;
    count_memory(process, &size, &resident);
    proc_text_add(text, "%d (%s) %c %d %d %d 0 -1 0 0 0 0 0 %lu %lu %lu %lu 20 0 1 0 %lu %zu %zu",
                  process->pid, process->name, state_letter(process), parent_pid(process),
                  process->group, process->session, ticks(times->user), ticks(times->system),
                  ticks(times->children_user), ticks(times->children_system),
                  ticks(process->start_time), size, resident);
    proc_text_add(text,
                  " 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 %d 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
                  process->exit_signal);
}

void proc_write_statm(struct proc_text *text, struct process *process)
{
    size_t size, resident;
    count_memory(process, &size, &resident);
    proc_text_add(text, "%zu %zu 0 0 0 %zu 0\n", size / VM_PAGE_SIZE, resident,
                  size / VM_PAGE_SIZE);
}

void proc_write_status(struct proc_text *text, struct process *process)
{
    size_t size, resident;
    count_memory(process, &size, &resident);
    proc_text_add(text, "Name:\t%s\nState:\t%c\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n", process->name,
                  state_letter(process), process->pid, process->pid, parent_pid(process));
    proc_text_add(text, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nVmSize:\t%8zu kB\nVmRSS:\t%8zu kB\n",
                  size / 1024, KIB(resident));
    proc_text_add(text, "Threads:\t1\n");
}

void proc_write_name(struct proc_text *text, struct process *process)
{
    proc_text_add(text, "%s\n", process->name);
}

/* A part of another program's memory that lies in one page. */
static bool add_memory(struct proc_text *text, aspace_id id, addr_t address, size_t size)
{
    addr_t physical;
    if (vm_fault_aspace(id, address, VM_ACCESS_READ | VM_ACCESS_USER) != VM_OK ||
        vm_get_page_mapping(id, address, &physical) != VM_OK)
        return false;
    proc_text_add_bytes(text, host_frame_ptr(physical), size);
    return true;
}

void proc_write_command_line(struct proc_text *text, struct process *process)
{
    struct user_memory *memory = process_get_memory(process);
    if (memory == NULL)
        return;
    addr_t address = memory->arguments;
    while (address < memory->arguments_end) {
        size_t size = VM_PAGE_SIZE - (address & VM_PAGE_MASK);
        size = size < memory->arguments_end - address ? size : memory->arguments_end - address;
        if (!add_memory(text, memory->id, address, size))
            break;
        address += size;
    }
    user_memory_put(memory);
}
