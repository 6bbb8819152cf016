/* SPDX-License-Identifier: MIT */
/* Page faults. */
#ifndef VM_FAULT_H
#define VM_FAULT_H

#include "aspace.h"

/* Resolves an access to `address`; sleeps as it must. => nothing locked */
int vm_soft_fault(vm_address_space *aspace, addr_t address, unsigned access);

#endif
