/* SPDX-License-Identifier: MIT */
/* The calls that look at, protect, or keep memory that is mapped. */
#include "fs/disk_file.h"
#include "memory.h"

enum { MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4 };
enum { MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4, MLOCK_ONFAULT = 1 };
enum { RESIDENCY_CHUNK = 256 };

aspace_id current_space(void)
{
    return process_current()->memory->id;
}

bool is_private_anonymous(const vm_region_info *info)
{
    return info->vnode == NULL && (info->lock & REGION_SHARED) == 0;
}

bool region_at(aspace_id id, addr_t address, vm_region_info *info)
{
    addr_t cookie = address;
    return vm_get_next_region_info(id, &cookie, info) == VM_OK && info->base <= address;
}

bool range_is_mapped(aspace_id id, addr_t address, addr_t size)
{
    vm_region_info info;
    addr_t end = address + size;
    while (address < end) {
        if (!region_at(id, address, &info))
            return false;
        address = info.base + info.size;
    }
    return true;
}

/* What a range that nothing can be mapped in, or a hole, is to these calls. */
static int64_t range_error(int error)
{
    return error == ERR_VM_BAD_ADDRESS ? -ENOMEM : errno_from_vm(error);
}

int check_range(addr_t address, addr_t *size, int wraps)
{
    addr_t end;
    if ((address & VM_PAGE_MASK) != 0)
        return -EINVAL;
    addr_t rounded = page_round_up(*size);
    if ((*size != 0 && rounded == 0) || __builtin_add_overflow(address, rounded, &end))
        return wraps;
    *size = rounded;
    return 0;
}

int64_t for_each_region(addr_t address, addr_t size, region_function function, unsigned argument)
{
    addr_t end = address + size, cookie = address;
    vm_region_info info;
    int64_t result = 0;
    while (address < end && vm_get_next_region_info(current_space(), &cookie, &info) == VM_OK &&
           info.base < end) {
        addr_t start = info.base > address ? info.base : address;
        addr_t stop = info.base + info.size < end ? info.base + info.size : end;
        if (start > address)
            result = -ENOMEM;
        int64_t error = function(&info, start, stop - start, argument);
        if (error != 0)
            return error;
        address = stop;
    }
    return address < end ? -ENOMEM : result;
}

static int64_t protect(const vm_region_info *info, addr_t start, addr_t length, unsigned lock)
{
    (void)info;
    return range_error(vm_protect_range(current_space(), start, length, lock));
}

int64_t sys_mprotect(struct trap_frame *frame)
{
    addr_t address = ARGUMENT(0), size = SIZE(1);
    unsigned protection = UNSIGNED(2), grows = protection & (PROT_GROWSDOWN | PROT_GROWSUP);
    vm_region_info info;
    if (grows == (PROT_GROWSDOWN | PROT_GROWSUP))
        return -EINVAL;
    protection &= ~grows;
    if (size == 0 && (address & VM_PAGE_MASK) == 0)
        return 0;
    int error = check_range(address, &size, -ENOMEM);
    if (error != 0)
        return error;
    if ((protection & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) != 0)
        return -EINVAL;
    if (grows != 0) {
        if (!region_at(current_space(), address, &info))
            return -ENOMEM;
        if (grows == PROT_GROWSUP || (info.lock & REGION_GROWS_DOWN) == 0)
            return -EINVAL;
        size += address - info.base;
        address = info.base;
    }
    unsigned lock = lock_of_protection(protection);
    error = vm_protect_range(current_space(), address, size, lock);
    if (error == ERR_PERMISSION_DENIED) /* Linux has done what comes before it */
        return for_each_region(address, size, protect, lock);
    return range_error(error);
}

/* ---- msync, mincore ------------------------------------------------------------------------------------ */

int64_t sys_msync(struct trap_frame *frame)
{
    addr_t address = ARGUMENT(0), size = SIZE(1);
    unsigned flags = UNSIGNED(2);
    if ((flags & ~(unsigned)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
        return -EINVAL;
    if ((address & VM_PAGE_MASK) != 0)
        return -EINVAL;
    /* Linux rounds an overflowing length to nothing here. */
    size = page_round_up(size);
    int error = check_range(address, &size, -ENOMEM);
    if (error != 0 || size == 0)
        return error;
    error = vm_sync_range(current_space(), address, size);
    if (error == ERR_UNSUPPORTED) /* a ram file: it is where it belongs */
        return range_is_mapped(current_space(), address, size) ? 0 : -ENOMEM;
    if ((flags & MS_SYNC) != 0 && (error == VM_OK || error == ERR_VM_PAGE_NOT_PRESENT)) {
        int flushed = disk_files_flush();
        if (flushed != 0)
            return flushed;
    }
    return range_error(error);
}

int64_t sys_mincore(struct trap_frame *frame)
{
    addr_t address = ARGUMENT(0), size = SIZE(1);
    uint8_t pages[RESIDENCY_CHUNK];
    uint8_t *user = POINTER(2);
    if ((address & VM_PAGE_MASK) != 0)
        return -EINVAL;
    if (!user_buffer_ok((void *)address, size))
        return -ENOMEM;
    size = page_round_up(size);
    if (!user_buffer_ok(user, size / VM_PAGE_SIZE))
        return -EFAULT;
    while (size > 0) {
        addr_t part = size < RESIDENCY_CHUNK * VM_PAGE_SIZE ? size : RESIDENCY_CHUNK * VM_PAGE_SIZE;
        if (thread_should_stop(WAIT_KILLABLE))
            return -EINTR;
        int error = vm_get_residency(current_space(), address, part, pages);
        if (error != VM_OK)
            return range_error(error);
        if (copy_to_user(user, pages, part / VM_PAGE_SIZE) != 0)
            return -EFAULT;
        user += part / VM_PAGE_SIZE;
        address += part;
        size -= part;
    }
    return 0;
}

/* ---- mlock ---------------------------------------------------------------------------------------------- */

/* A page that may not be touched can't be brought in either: to Linux that is the same as a hole. */
static int64_t wire_error(int error)
{
    if (error == ERR_NO_MEMORY)
        return -EAGAIN;
    return error == VM_OK ? 0 : -ENOMEM;
}

static int64_t check_readable(const vm_region_info *info, addr_t start, addr_t length,
                              unsigned argument)
{
    (void)start, (void)length, (void)argument;
    return (info->lock & LOCK_NO_READ) != 0 ? -ENOMEM : 0;
}

static int64_t lock_range(addr_t address, addr_t size, bool lock)
{
    addr_t start = address & ~VM_PAGE_MASK, end;
    size = page_round_up(size + (address & VM_PAGE_MASK));
    if (__builtin_add_overflow(start, size, &end))
        return -EINVAL;
    if (size == 0)
        return 0;
    if (lock) {
        int error = vm_wire_range(current_space(), start, size);
        return error != VM_OK ? wire_error(error) : for_each_region(start, size, check_readable, 0);
    }
    return range_error(vm_unwire_range(current_space(), start, size));
}

int64_t sys_mlock(struct trap_frame *frame)
{
    return lock_range(ARGUMENT(0), SIZE(1), true);
}

int64_t sys_mlock2(struct trap_frame *frame)
{
    if ((UNSIGNED(2) & ~(unsigned)MLOCK_ONFAULT) != 0)
        return -EINVAL;
    return lock_range(ARGUMENT(0), SIZE(1), true);
}

int64_t sys_munlock(struct trap_frame *frame)
{
    return lock_range(ARGUMENT(0), SIZE(1), false);
}

static void lock_all(bool lock)
{
    vm_region_info info;
    addr_t cookie = 0;
    while (vm_get_next_region_info(current_space(), &cookie, &info) == VM_OK) {
        if (lock)
            (void)vm_wire_range(current_space(), info.base, info.size);
        else
            (void)vm_unwire_range(current_space(), info.base, info.size);
    }
}

/* MCL_FUTURE is taken as advice: what is mapped later comes with the first access. */
int64_t sys_mlockall(struct trap_frame *frame)
{
    unsigned flags = UNSIGNED(0);
    if (flags == 0 || flags == MCL_ONFAULT ||
        (flags & ~(unsigned)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0)
        return -EINVAL;
    if ((flags & MCL_CURRENT) != 0)
        lock_all(true);
    return 0;
}

int64_t sys_munlockall(struct trap_frame *frame)
{
    (void)frame;
    lock_all(false);
    return 0;
}

/* ---- brk ------------------------------------------------------------------------------------------------ */

/* => memory->lock held. Adds [from, to) to the heap: to the region that ends there, if it is the heap's
 * and looks like it, else as a new one. */
static int grow_heap(const struct user_memory *memory, addr_t from, addr_t to)
{
    vm_region_info info;
    void *address = (void *)from;
    if (from > memory->brk_start && region_at(memory->id, from - 1, &info) &&
        is_private_anonymous(&info) && info.base >= (memory->brk_start & ~VM_PAGE_MASK) &&
        (info.lock & (LOCK_MASK | REGION_FLAGS_MASK)) == LOCK_RW)
        return vm_resize_region(memory->id, info.id, to - info.base);
    region_id region =
        vm_create_anonymous_region(memory->id, "heap", &address, REGION_ADDR_EXACT_ADDRESS,
                                   to - from, REGION_WIRING_LAZY, LOCK_RW);
    return region < 0 ? (int)region : VM_OK;
}

/* The new end, or the old one if that can't be. */
int64_t sys_brk(struct trap_frame *frame)
{
    struct user_memory *memory = process_current()->memory;
    addr_t wanted = ARGUMENT(0);
    mutex_lock(&memory->lock);
    addr_t old_end = page_round_up(memory->brk_end), new_end = page_round_up(wanted);
    int error = VM_OK;
    if (wanted < memory->brk_start || wanted > USER_TOP)
        error = ERR_INVALID_ARGS;
    else if (new_end > old_end)
        error = grow_heap(memory, old_end, new_end);
    else if (new_end < old_end)
        error = vm_unmap_range(memory->id, new_end, old_end - new_end);
    if (error == VM_OK)
        memory->brk_end = wanted;
    addr_t result = memory->brk_end;
    mutex_unlock(&memory->lock);
    return (int64_t)result;
}
