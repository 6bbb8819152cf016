/* SPDX-License-Identifier: MIT */
/* NewOS's user_vm_* calls for programs that run in the reference kernel. Each gives back what the
 * core's function of that name does: an id or 0, or one of quire/types.h's errors. */
#ifndef QUIRE_SYSCALLS_H
#define QUIRE_SYSCALLS_H

#include <quire/vm.h>

enum {
    QUIRE_CREATE_ANONYMOUS_REGION = 1000,
    QUIRE_CLONE_REGION,
    QUIRE_MAP_FILE,
    QUIRE_DELETE_REGION,
    QUIRE_GET_REGION_INFO,
    QUIRE_GET_VM_INFO,
};

/* Eight arguments don't fit in registers: the last three of user_vm_map_file go in here. */
struct quire_map_file_more {
    const char *path;
    off_t offset;
    int64_t mapping;
};

/* As syscall(2), but the kernel's answer as it is, without errno. */
static inline int64_t quire_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                                 uint64_t e, uint64_t f)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    int64_t result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline region_id quire_create_anonymous_region(const char *name, void **address,
                                                      int addr_type, addr_t size, int wiring,
                                                      unsigned lock)
{
    return quire_call(QUIRE_CREATE_ANONYMOUS_REGION, (uintptr_t)name, (uintptr_t)address,
                      (uint64_t)addr_type, size, (uint64_t)wiring, lock);
}

static inline region_id quire_clone_region(const char *name, void **address, int addr_type,
                                           region_id source, int mapping, unsigned lock)
{
    return quire_call(QUIRE_CLONE_REGION, (uintptr_t)name, (uintptr_t)address, (uint64_t)addr_type,
                      (uint64_t)source, (uint64_t)mapping, lock);
}

static inline region_id quire_map_file(const char *name, void **address, int addr_type, addr_t size,
                                       unsigned lock, int mapping, const char *path, off_t offset)
{
    struct quire_map_file_more more = {path, offset, mapping};
    return quire_call(QUIRE_MAP_FILE, (uintptr_t)name, (uintptr_t)address, (uint64_t)addr_type,
                      size, lock, (uintptr_t)&more);
}

static inline int64_t quire_delete_region(region_id id)
{
    return quire_call(QUIRE_DELETE_REGION, (uint64_t)id, 0, 0, 0, 0, 0);
}

static inline int64_t quire_get_region_info(region_id id, vm_region_info *info)
{
    return quire_call(QUIRE_GET_REGION_INFO, (uint64_t)id, (uintptr_t)info, 0, 0, 0, 0);
}

static inline int64_t quire_get_vm_info(vm_info *info)
{
    return quire_call(QUIRE_GET_VM_INFO, (uintptr_t)info, 0, 0, 0, 0, 0);
}

#endif
