/* SPDX-License-Identifier: MIT */
#include <kernel/errno.h>
#include <quire/types.h>

int errno_from_vm(int error)
{
    switch (error) {
    case VM_OK:
        return 0;
    case ERR_NO_MEMORY:
    case ERR_VM_WOULD_OVERCOMMIT:
    case ERR_VM_NO_REGION_SLOT:
    case ERR_VM_PAGE_NOT_PRESENT:
        return -ENOMEM;
    case ERR_VM_BAD_USER_MEMORY:
    case ERR_VM_PF_FATAL:
    case ERR_VM_PF_BAD_ADDRESS:
    case ERR_VM_PF_BAD_PERM:
    case ERR_VM_PF_PAST_END:
        return -EFAULT;
    case ERR_NOT_FOUND:
        return -ENOENT;
    case ERR_IO:
        return -EIO;
    case ERR_TIMED_OUT:
        return -ETIMEDOUT;
    case ERR_INTERRUPTED:
        return -EINTR;
    case ERR_PERMISSION_DENIED:
        return -EACCES;
    case ERR_UNSUPPORTED:
        return -ENODEV;
    case ERR_VM_INVALID_ASPACE:
        return -ESRCH;
    default:
        return -EINVAL;
    }
}
