/* SPDX-License-Identifier: MIT */
/* /proc: what the kernel knows, as files, as far as ps, free and the tests want it. */
#ifndef KERNEL_FS_PROC_H
#define KERNEL_FS_PROC_H

#include "file.h"
#include <quire/vm.h>

struct process;

struct vnode *proc_create_root(void);

/* Text that grows. */
struct proc_text {
    char *data;
    size_t length, capacity;
    bool failed; /* there was no memory for all of it */
};
void proc_text_add(struct proc_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void proc_text_add_bytes(struct proc_text *text, const void *bytes, size_t size);
void proc_text_free(struct proc_text *text);

#define KIB(pages) ((pages) * (VM_PAGE_SIZE / 1024))

/* What the process uses, added up over its regions. */
struct proc_memory {
    size_t size, resident_pages, swapped_pages;
    size_t memory_pages, shared_pages; /* of those resident: private memory, and shared */
    size_t stack, data, text, locked;  /* bytes, mapped rather than in frames */
    uint64_t faults, refaults;
};
struct proc_memory proc_count_memory(struct process *process);
/* The lines of status that begin with Vm or Rss. */
void proc_write_memory_status(struct proc_text *text, struct process *process);

/* What the files say; `process` is NULL for those of the whole system. */
typedef void (*proc_writer)(struct proc_text *text, struct process *process);
void proc_write_meminfo(struct proc_text *text, struct process *process);
void proc_write_vmstat(struct proc_text *text, struct process *process);
void proc_write_swaps(struct proc_text *text, struct process *process);
void proc_write_uptime(struct proc_text *text, struct process *process);
void proc_write_mounts(struct proc_text *text, struct process *process);
void proc_write_version(struct proc_text *text, struct process *process);
void proc_write_loadavg(struct proc_text *text, struct process *process);
void proc_write_system_stat(struct proc_text *text, struct process *process);
void proc_write_maps(struct proc_text *text, struct process *process);
void proc_write_smaps(struct proc_text *text, struct process *process);
void proc_write_smaps_rollup(struct proc_text *text, struct process *process);
void proc_write_stat(struct proc_text *text, struct process *process);
void proc_write_statm(struct proc_text *text, struct process *process);
void proc_write_status(struct proc_text *text, struct process *process);
void proc_write_command_line(struct proc_text *text, struct process *process);
void proc_write_name(struct proc_text *text, struct process *process);

#endif
