/* SPDX-License-Identifier: MIT */
/* Copies from and to what may be a program's memory: never without a look at the address, because
 * user_memcpy takes what lies outside user space for the kernel's. */
#ifndef KERNEL_FS_USER_COPY_H
#define KERNEL_FS_USER_COPY_H

#include <kernel/errno.h>
#include <kernel/string.h>
#include <kernel/trap.h>
#include <quire/vm.h>

/* Whether a program may have memory there at all. */
static inline bool user_range_ok(const void *address, size_t size)
{
    addr_t base = (addr_t)address;
    return base >= USER_BASE && base <= USER_TOP && size <= USER_TOP - base;
}

/* What Linux checks of a buffer before it does anything: that it doesn't reach into the kernel. */
static inline bool user_buffer_ok(const void *address, size_t size)
{
    addr_t base = (addr_t)address;
    return base <= USER_TOP && size <= USER_TOP - base;
}

/* How much of `size` bytes from `address` on lies in its page. */
static inline size_t page_rest(const void *address, size_t size)
{
    size_t rest = VM_PAGE_SIZE - ((addr_t)address & VM_PAGE_MASK);
    return size < rest ? size : rest;
}

/* 0 or -EFAULT. A copy of nothing always works. */
static inline int copy_to_user(void *to, const void *from, size_t size)
{
    if (size == 0)
        return 0;
    return user_range_ok(to, size) && user_memcpy(to, from, size) == VM_OK ? 0 : -EFAULT;
}

static inline int copy_from_user(void *to, const void *from, size_t size)
{
    if (size == 0)
        return 0;
    return user_range_ok(from, size) && user_memcpy(to, from, size) == VM_OK ? 0 : -EFAULT;
}

/* How much of that can be copied: what can be reached and what can't meet at the edge of a page. */
static inline size_t copy_some_to_user(void *to, const void *from, size_t size)
{
    size_t done = 0;
    if (copy_to_user(to, from, size) == 0)
        return size;
    while (done < size) {
        size_t part = page_rest((uint8_t *)to + done, size - done);
        if (copy_to_user((uint8_t *)to + done, (const uint8_t *)from + done, part) != 0)
            break;
        done += part;
    }
    return done;
}

/* The same where the buffer may be the kernel's. */
static inline int copy_out(void *to, const void *from, size_t size, bool user)
{
    if (user)
        return copy_to_user(to, from, size);
    memcpy(to, from, size);
    return 0;
}

static inline int copy_in(void *to, const void *from, size_t size, bool user)
{
    if (user)
        return copy_from_user(to, from, size);
    memcpy(to, from, size);
    return 0;
}

#endif
