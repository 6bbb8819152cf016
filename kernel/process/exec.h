/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include <kernel/process.h>

/* For the first program, whose arguments are the kernel's. As process_exec. */
int64_t exec_first(struct trap_frame *frame, const char *path, char *const *argv,
                   const char *const *environment);

#endif
