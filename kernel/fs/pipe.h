/* SPDX-License-Identifier: MIT */
/* Pipes, with and without a name. */
#ifndef KERNEL_FS_PIPE_H
#define KERNEL_FS_PIPE_H

#include "file.h"

#define PIPE_BUFFER_PAGES 16u
#define PIPE_ATOMIC_SIZE 4096u /* PIPE_BUF: such writes are never torn */

extern const struct vnode_ops fifo_vnode_ops;

/* The two ends of a new pipe; `flags` may hold O_NONBLOCK. 0 or -ENOMEM. */
int pipe_create(unsigned flags, struct file **reader, struct file **writer);

#endif
