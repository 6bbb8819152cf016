/* SPDX-License-Identifier: MIT */
/* Values of options that are numbers. */
#ifndef QUIRE_TOOL_NUMBERS_H
#define QUIRE_TOOL_NUMBERS_H

#include <stdint.h>

/* 0; or what was wrong is said, with the status for that. */
int set_number(const char *option, const char *text, uint64_t least, uint64_t most,
               uint64_t *number);
int set_unsigned(const char *option, const char *text, unsigned least, unsigned most,
                 unsigned *number);

#endif
