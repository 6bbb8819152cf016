/* SPDX-License-Identifier: MIT */
#ifndef TESTS_KERNEL_STUBS_H
#define TESTS_KERNEL_STUBS_H

#include <stddef.h>

extern size_t bytes_in_use;   /* that vm_meta_alloc has given out */
extern long allocations_left; /* before it gives NULL; below 0: no limit */
extern unsigned log_lines;    /* how many there have been */

#endif
