/* SPDX-License-Identifier: MIT */
/* Numbers for people. */
#ifndef QUIRE_TOOL_DIGITS_H
#define QUIRE_TOOL_DIGITS_H

#include <stddef.h>
#include <stdint.h>

/* 1234567 as 1,234,567; whatever isn't a number as it is. */
void group_digits(const char *value, size_t length, char *text, size_t size);
/* The same of a number; the text is good until the eighth call from now. */
const char *grouped(uint64_t value);

#endif
