/* SPDX-License-Identifier: MIT */
/* The kernel's own words, on the debug console. They never sleep and work in any context. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stddef.h>

/* One message, cut at 511 bytes; give the line end. */
void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A record for the tool that started the machine: byte 0x01, the text, a line end. */
void log_record(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_bytes(const char *text, size_t length);

/* Nothing is safe any more: says why, tells the tool, stops the machine. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : panic("%s:%d: %s", __FILE__, __LINE__, #condition))

#endif
