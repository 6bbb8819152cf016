/* SPDX-License-Identifier: MIT */
/* Devices, and the console as programs see it. */
#ifndef KERNEL_FS_DEVICE_H
#define KERNEL_FS_DEVICE_H

#include "file.h"

#define DEVICE_NUMBER(major, minor) ((uint64_t)(major) << 8 | (minor))
#define DEVICE_NULL DEVICE_NUMBER(1, 3)
#define DEVICE_ZERO DEVICE_NUMBER(1, 5)
#define DEVICE_TTY DEVICE_NUMBER(5, 0)
#define DEVICE_CONSOLE DEVICE_NUMBER(5, 1)

/* A vnode for the device of that number, or NULL: no such device, or (*known true) no memory. */
struct vnode *device_create(uint64_t number, bool *known);

/* Not fit for secrets. */
void random_bytes(void *buffer, size_t size);

/* The console's three streams, as file descriptors 0, 1 and 2. */
struct vnode *console_create(int fd);
extern const struct vnode_ops console_vnode_ops;
/* Starts what reads a terminal's keys, if the console is one. 0 or -ENOMEM. */
int console_start(void);
/* Ends it. */
void console_stop(void);

#endif
