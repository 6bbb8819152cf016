/* SPDX-License-Identifier: MIT */
/* Two 16550s: raw bytes out, escaped bytes in on the first. */
#ifndef KERNEL_SERIAL_H
#define KERNEL_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#define SERIAL_INPUT_LINE 4

void serial_init(void);
void serial_interrupt(void);
/* For the debugger, with interrupts off: the next decoded byte, or -1 at the end of input. */
int serial_poll_input(void);

#endif
