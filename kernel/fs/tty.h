/* SPDX-License-Identifier: MIT */
/* A terminal: line editing, keys that are signals, and the settings that programs ask for. */
#ifndef KERNEL_FS_TTY_H
#define KERNEL_FS_TTY_H

#include <quire/types.h>

struct file;

/* What has been typed; `ended` when there will be no more. From the thread that reads the console. */
void tty_input(const uint8_t *bytes, size_t length, bool ended);
int64_t tty_read(struct file *file, void *buffer, size_t length, bool user);
/* Writes text as the settings say (a line end gets its carriage return). */
void tty_write(const char *text, size_t length);
bool tty_readable(void);
int64_t tty_ioctl(unsigned request, addr_t argument);

#endif
