/* SPDX-License-Identifier: MIT */
/* Programs' pointers. */
#ifndef VM_USER_H
#define VM_USER_H

#include <quire/types.h>

/* Whether all of it lies in user space; says nothing of what is mapped there. */
bool user_is_range(const void *pointer, size_t size);

#endif
