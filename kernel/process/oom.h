/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_OOM_H
#define KERNEL_OOM_H

/* The running program's fault found no memory: ends the process with the most of it, and returns when
 * the fault is worth trying again, or the running program is itself to die. */
void out_of_memory(void);

#endif
