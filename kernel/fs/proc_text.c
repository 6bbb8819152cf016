/* SPDX-License-Identifier: MIT */
/* What the files of /proc say, in Linux's formats. */
#include "proc.h"
#include "ramfs.h"
#include <kernel/process.h>
#include <kernel/string.h>
#include <quire/host.h>

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

static unsigned long ticks(uint64_t nanoseconds)
{
    return nanoseconds / NS_PER_TICK;
}

/* ---- the system ------------------------------------------------------------------------------------ */

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
    uint64_t user, system, all = host_time_ns();
    timer_get_times(&user, &system);
    uint64_t idle = all > user + system ? all - user - system : 0;
    for (int line = 0; line < 2; line++)
        proc_text_add(text, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", line == 0 ? "cpu " : "cpu0",
                      ticks(user), ticks(system), ticks(idle));
    proc_text_add(text, "processes %u\nprocs_running 1\nprocs_blocked 0\n", process_count());
}

/* ---- a process ------------------------------------------------------------------------------------- */

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

void proc_write_stat(struct proc_text *text, struct process *process)
{
    const struct process_times *times = &process->times;
    struct proc_memory memory = proc_count_memory(process);
    proc_text_add(
        text, "%d (%s) %c %d %d %d 0 -1 0 %lu 0 %lu 0 %lu %lu %lu %lu 20 0 1 0 %lu %zu %zu",
        process->pid, process->name, state_letter(process), parent_pid(process), process->group,
        process->session, memory.faults - memory.refaults, memory.refaults, ticks(times->user),
        ticks(times->system), ticks(times->children_user), ticks(times->children_system),
        ticks(process->start_time), memory.size, memory.resident_pages);
    proc_text_add(text,
                  " 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 %d 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
                  process->exit_signal);
}

void proc_write_status(struct proc_text *text, struct process *process)
{
    proc_text_add(text, "Name:\t%s\nState:\t%c\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n", process->name,
                  state_letter(process), process->pid, process->pid, parent_pid(process));
    proc_text_add(text, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
    proc_write_memory_status(text, process);
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
