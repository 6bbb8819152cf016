/* SPDX-License-Identifier: MIT */
/* One process, and two files: /p, which is the fuzzer's, and /good, which is a program. */
#ifndef TESTS_FUZZ_ELF_KERNEL_H
#define TESTS_FUZZ_ELF_KERNEL_H

#include <kernel/errno.h>
#include <kernel/process.h>

#include "elf_core.h"

enum { FILE_FUZZED, FILE_GOOD, KERNEL_FILES };

extern struct core_file kernel_files[KERNEL_FILES];
extern struct process kernel_process;
extern struct cpu kernel_cpu; /* what the GS register must lead to */

#endif
