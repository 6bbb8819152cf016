/* SPDX-License-Identifier: MIT */
#include <quire/types.h>

const char *vm_error_text(int error)
{
    switch ((enum vm_error)error) {
    case VM_OK:
        return "no error";
    case ERR_VM_GENERAL:
        return "virtual memory error";
    case ERR_VM_INVALID_ASPACE:
        return "no such address space, or it is being deleted";
    case ERR_VM_INVALID_REGION:
        return "no such region in this address space";
    case ERR_VM_BAD_ADDRESS:
        return "the address is outside the address space or not page aligned";
    case ERR_VM_PF_FATAL:
        return "this range is kept free: nothing may touch it";
    case ERR_VM_PF_BAD_ADDRESS:
        return "nothing is mapped at this address";
    case ERR_VM_PF_BAD_PERM:
        return "the region's protection forbids this access";
    case ERR_VM_PAGE_NOT_PRESENT:
        return "part of the range is not mapped";
    case ERR_VM_NO_REGION_SLOT:
        return "the range is taken, or no hole is large enough";
    case ERR_VM_WOULD_OVERCOMMIT:
        return "more memory would be promised than there is";
    case ERR_VM_BAD_USER_MEMORY:
        return "the program's pointer can't be used";
    case ERR_VM_PF_PAST_END:
        return "the access is behind the end of the mapped file";
    case ERR_NO_MEMORY:
        return "out of memory";
    case ERR_INVALID_ARGS:
        return "invalid arguments";
    case ERR_NOT_FOUND:
        return "not found";
    case ERR_IO:
        return "reading or writing the backing store failed";
    case ERR_TIMED_OUT:
        return "timed out";
    case ERR_INTERRUPTED:
        return "interrupted";
    case ERR_PERMISSION_DENIED:
        return "permission denied";
    case ERR_UNSUPPORTED:
        return "not supported here";
    }
    return error > 0 ? "no error" : "unknown error";
}
