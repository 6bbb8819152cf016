/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stdint.h>

/* Numbers that differ from run to run unless the machine's time is deterministic. Not for secrets. */
uint64_t random_number(void);

#endif
