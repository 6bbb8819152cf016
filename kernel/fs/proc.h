/* SPDX-License-Identifier: MIT */
/* /proc: what the kernel knows, as files, as far as ps, free and the tests want it. */
#ifndef KERNEL_FS_PROC_H
#define KERNEL_FS_PROC_H

#include "file.h"

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

/* What the files say; `process` is NULL for those of the whole system. */
typedef void (*proc_writer)(struct proc_text *text, struct process *process);
void proc_write_meminfo(struct proc_text *text, struct process *process);
void proc_write_uptime(struct proc_text *text, struct process *process);
void proc_write_mounts(struct proc_text *text, struct process *process);
void proc_write_version(struct proc_text *text, struct process *process);
void proc_write_loadavg(struct proc_text *text, struct process *process);
void proc_write_system_stat(struct proc_text *text, struct process *process);
void proc_write_maps(struct proc_text *text, struct process *process);
void proc_write_stat(struct proc_text *text, struct process *process);
void proc_write_statm(struct proc_text *text, struct process *process);
void proc_write_status(struct proc_text *text, struct process *process);
void proc_write_command_line(struct proc_text *text, struct process *process);
void proc_write_name(struct proc_text *text, struct process *process);

#endif
