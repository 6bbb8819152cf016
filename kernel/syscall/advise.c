/* SPDX-License-Identifier: MIT */
/* madvise. */
#include "memory.h"

enum {
    MADV_NORMAL = 0,
    MADV_RANDOM = 1,
    MADV_SEQUENTIAL = 2,
    MADV_WILLNEED = 3,
    MADV_DONTNEED = 4,
    MADV_FREE = 8,
    MADV_REMOVE = 9,
    MADV_DONTFORK = 10,
    MADV_DOFORK = 11,
    MADV_MERGEABLE = 12,
    MADV_WIPEONFORK = 18,
    MADV_KEEPONFORK = 19,
    MADV_COLD = 20,
    MADV_PAGEOUT = 21,
    MADV_POPULATE_READ = 22,
    MADV_POPULATE_WRITE = 23
};

static bool advice_is_known(int advice)
{
    return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) ||
           (advice >= MADV_FREE && advice <= MADV_POPULATE_WRITE);
}

static int64_t do_nothing(const vm_region_info *info, addr_t start, addr_t length,
                          unsigned argument)
{
    (void)argument;
    (void)info, (void)start, (void)length;
    return 0;
}

static int64_t discard(const vm_region_info *info, addr_t start, addr_t length, unsigned argument)
{
    (void)argument;
    (void)info;
    int error = vm_discard_range(current_space(), start, length);
    return error == ERR_INVALID_ARGS ? -EINVAL : errno_from_vm(error);
}

static int64_t advise_core(const vm_region_info *info, addr_t start, addr_t length, unsigned advice)
{
    if (advice == VM_ADVICE_FREE && !is_private_anonymous(info))
        return -EINVAL;
    int error = vm_advise_range(current_space(), start, length, (int)advice);
    return error == ERR_NO_MEMORY ? -EAGAIN : errno_from_vm(error);
}

static int64_t refuse(const vm_region_info *info, addr_t start, addr_t length, unsigned argument)
{
    (void)argument;
    (void)info, (void)start, (void)length;
    return -EINVAL;
}

static int64_t leave_out_of_forks(const vm_region_info *info, addr_t start, addr_t length,
                                  unsigned argument)
{
    (void)argument;
    (void)info;
    return errno_from_vm(vm_set_inheritance(current_space(), start, length, VM_INHERIT_NONE));
}

static int64_t keep_in_forks(const vm_region_info *info, addr_t start, addr_t length,
                             unsigned argument)
{
    (void)argument;
    int inherit = is_private_anonymous(info) || info->mapping == REGION_PRIVATE_MAP
                      ? VM_INHERIT_COPY
                      : VM_INHERIT_SHARE;
    return errno_from_vm(vm_set_inheritance(current_space(), start, length, inherit));
}

static int64_t bring_in(const vm_region_info *info, addr_t start, addr_t length, unsigned access)
{
    (void)info;
    for (addr_t offset = 0; offset < length; offset += VM_PAGE_SIZE) {
        if (thread_should_stop(WAIT_KILLABLE))
            return -EINTR;
        int error = vm_fault_aspace(current_space(), start + offset, access | VM_ACCESS_USER);
        if (error == ERR_VM_PF_BAD_PERM || error == ERR_VM_PF_FATAL)
            return -EINVAL;
        if (error != VM_OK)
            return errno_from_vm(error);
    }
    return 0;
}

static int64_t advise(int advice, addr_t address, addr_t size)
{
    switch (advice) {
    case MADV_NORMAL:
        return for_each_region(address, size, advise_core, VM_ADVICE_NORMAL);
    case MADV_RANDOM:
        return for_each_region(address, size, advise_core, VM_ADVICE_RANDOM);
    case MADV_SEQUENTIAL:
        return for_each_region(address, size, advise_core, VM_ADVICE_SEQUENTIAL);
    case MADV_WILLNEED:
        return for_each_region(address, size, advise_core, VM_ADVICE_WILL_NEED);
    case MADV_COLD:
        return for_each_region(address, size, advise_core, VM_ADVICE_COLD);
    case MADV_PAGEOUT:
        return for_each_region(address, size, advise_core, VM_ADVICE_PAGEOUT);
    case MADV_FREE:
        return for_each_region(address, size, advise_core, VM_ADVICE_FREE);
    case MADV_DONTNEED:
        return for_each_region(address, size, discard, 0);
    case MADV_DONTFORK:
        return for_each_region(address, size, leave_out_of_forks, 0);
    case MADV_DOFORK:
        return for_each_region(address, size, keep_in_forks, 0);
    case MADV_POPULATE_READ:
        return for_each_region(address, size, bring_in, VM_ACCESS_READ);
    case MADV_POPULATE_WRITE:
        return for_each_region(address, size, bring_in, VM_ACCESS_WRITE);
    case MADV_REMOVE:
    case MADV_WIPEONFORK:
        return for_each_region(address, size, refuse, 0);
    default:
        return for_each_region(address, size, do_nothing, 0);
    }
}

int64_t sys_madvise(struct trap_frame *frame)
{
    addr_t address = ARGUMENT(0), size = SIZE(1);
    if (!advice_is_known(INTEGER(2)))
        return -EINVAL;
    int error = check_range(address, &size, -EINVAL);
    if (error != 0 || size == 0)
        return error;
    return advise(INTEGER(2), address, size);
}
