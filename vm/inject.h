/* SPDX-License-Identifier: MIT */
/* Failures on request. Each place where a request can fail is a site: test builds register it with its
 * file and line, and ask the host whether this time the request shall fail. In other builds a site is
 * the constant false. */
#ifndef VM_INJECT_H
#define VM_INJECT_H

#include <stdbool.h>
#include <stdint.h>

enum vm_inject {
    VM_INJECT_METADATA,
    VM_INJECT_FRAME,
    VM_INJECT_TABLE, /* a frame for a page table */
    VM_INJECT_COMMIT,
    VM_INJECT_STORE_READ,
    VM_INJECT_SHORT_READ, /* the store fills less than it was asked for */
    VM_INJECT_STORE_WRITE,
    VM_INJECT_SLOT, /* of swap */
    VM_INJECT_USER_COPY,
    VM_INJECT_THREAD,
    VM_INJECT_CLASSES
};

#if defined(VM_TEST)
struct vm_inject_site {
    const char *file;
    unsigned line;
    unsigned class;
    uint64_t seen, failed;
};
/* Between these two are all sites of the core. */
extern struct vm_inject_site __start_vm_inject_sites[], __stop_vm_inject_sites[];

bool host_inject(struct vm_inject_site *site);
#define VM_INJECT(class_)                                                                          \
    ({                                                                                             \
        static struct vm_inject_site site_ __attribute__((section("vm_inject_sites"), used)) = {   \
            __FILE__, __LINE__, class_, 0, 0};                                                     \
        host_inject(&site_);                                                                       \
    })

/* Whether the frame at `physical` is free: what a simulated machine holds a stale translation
 * against. Takes no lock. */
bool vm_test_frame_is_free(uintptr_t physical);
#else
#define VM_INJECT(class_) false
#endif

#endif
