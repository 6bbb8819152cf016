/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_OOM_H
#define KERNEL_OOM_H

#include <stdbool.h>
#include <stdint.h>

/* A fault of the running program found no memory: ends the process with the most of it. Whether that
 * has given its memory back by now; not when it is the running program that is to die. */
bool out_of_memory(void);
/* How many processes that has ended. */
uint64_t out_of_memory_ended(void);

#endif
