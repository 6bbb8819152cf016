/* SPDX-License-Identifier: MIT */
/* Text for the log and the debugger, and assertions. */
#ifndef VM_PRINT_H
#define VM_PRINT_H

#include <quire/host.h>

/* The usual conversions: d i u x c s p and %, with l, ll, z, a width, '-' and '0'. Lines longer than
 * 255 bytes are cut. Takes no locks. */
void vm_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void vm_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Holds always, or the core is wrong. */
#define VM_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            vm_panic("%s:%d: %s: not so: %s", __FILE__, __LINE__, __func__, #condition);           \
    } while (0)

/* The same where the check costs too much for every day. */
#if defined(VM_TEST)
#define VM_DEBUG_ASSERT(condition) VM_ASSERT(condition)
#else
#define VM_DEBUG_ASSERT(condition) ((void)0)
#endif

#endif
