/* SPDX-License-Identifier: MIT */
/* Failures on request: test builds ask the host, before every allocation, whether it shall fail. */
#ifndef VM_INJECT_H
#define VM_INJECT_H

#include <stdbool.h>
#include <stdint.h>

enum vm_inject {
    VM_INJECT_METADATA,
    VM_INJECT_FRAME,
    VM_INJECT_TABLE,
    VM_INJECT_COMMIT,
    VM_INJECT_CLASSES
};

#if defined(VM_TEST)
bool host_inject(enum vm_inject class);
/* Whether the frame at `physical` is free: what a simulated machine holds a stale translation
 * against. Takes no lock. */
bool vm_test_frame_is_free(uintptr_t physical);
#else
static inline bool host_inject(enum vm_inject class)
{
    (void)class;
    return false;
}
#endif

#endif
