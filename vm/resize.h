/* SPDX-License-Identifier: MIT */
/* Regions that change their size. */
#ifndef VM_RESIZE_H
#define VM_RESIZE_H

#include "aspace.h"

/* Extends the stack above `address` down to it. => nothing locked. ERR_VM_PF_BAD_ADDRESS: there is
 * none, or it may not; ERR_VM_WOULD_OVERCOMMIT, ERR_NO_MEMORY. */
int region_grow_stack(vm_address_space *aspace, addr_t address);

#endif
