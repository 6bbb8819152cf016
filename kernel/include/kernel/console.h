/* SPDX-License-Identifier: MIT */
/* The machine's console: serial port 1 is the program's standard input and output, port 2 its
 * standard error. Bytes are raw; the tty's habits are in kernel/fs. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <kernel/lock.h>
#include <stddef.h>

enum console_stream { CONSOLE_OUTPUT = 1, CONSOLE_ERROR = 2 };

/* Doesn't sleep. */
void console_write(enum console_stream stream, const void *bytes, size_t length);

/* Waits for input: the bytes read (up to `size`, which isn't 0), 0 at its end (which stays), or
 * -EINTR as `mode` allows. The buffer is the kernel's. */
int64_t console_read(void *buffer, size_t size, int mode);
/* Whether console_read would return at once (input or its end). */
bool console_readable(void);
size_t console_available(void);
/* Signalled whenever input or its end arrives. */
extern struct event console_event;

/* What the command line said. */
extern bool console_is_tty; /* tty=1 */
extern unsigned console_rows, console_columns;

#endif
