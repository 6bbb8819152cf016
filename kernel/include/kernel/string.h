/* SPDX-License-Identifier: MIT */
/* The parts of the C library that a freestanding kernel brings itself. */
#ifndef KERNEL_STRING_H
#define KERNEL_STRING_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *left, const void *right, size_t size);
void *memchr(const void *memory, int value, size_t size);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t limit);
char *strchr(const char *text, int value);
char *strrchr(const char *text, int value);
/* Copies what fits and always ends the text; returns strlen(from). */
size_t strlcpy(char *to, const char *from, size_t size);

/* printf's %d %i %u %x %X %o %c %s %p %% with flags - 0 # +, width and precision (also *), and the
 * lengths hh h l ll z j t. No floating point. Writes at most size bytes with the NUL; returns the
 * length the whole text would have. */
int format_text(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int format_text_v(char *buffer, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* An unsigned number in base 10 or, with 0x, 16, up to `end` (NULL: the NUL); false if none. */
bool parse_number(const char *text, const char *end, uint64_t *value);

#endif
