/* SPDX-License-Identifier: MIT */
/* The core as execve sees it, for the fuzz target of the ELF loader: address spaces that only note what is
 * mapped, and hold the loader to what it promises. */
#ifndef TESTS_FUZZ_ELF_CORE_H
#define TESTS_FUZZ_ELF_CORE_H

#include <quire/vm.h>

/* A file is its own vnode. */
struct core_file {
    const uint8_t *bytes;
    size_t size;
    unsigned references;
};

/* What is in use, and how many more allocations succeed (below 0: all). */
struct core_use {
    size_t frames, metadata, spaces;
    long allocations_left;
};
extern struct core_use core_use;

/* From here on copies go into this space (NULL: none). */
void core_enter(vm_address_space *aspace);
/* From here on copies come out of the space that has been entered. */
void core_leave_kernel(void);

/* The byte that the program sees, and with what protection; false: nothing is mapped there. */
bool core_read(addr_t address, uint8_t *byte, unsigned *lock);

#endif
