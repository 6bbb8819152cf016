/* SPDX-License-Identifier: MIT */
/* Waiting for a word of memory to change. A program's word is waited for at the frame that holds it, so
 * that processes that share the page meet, wherever they have it. */
#include "arguments.h"
#include <kernel/process.h>
#include <quire/host.h>

enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_PRIVATE = 128,
    FUTEX_REALTIME = 256,
};

/* The kernel's address of the word. */
static int find_word(uint64_t user, uint32_t **word)
{
    aspace_id space = process_current()->memory->id;
    uint32_t value;
    addr_t physical;
    if (user % sizeof(uint32_t) != 0)
        return -EINVAL;
    if (copy_from_user(&value, (void *)user, sizeof(value)) != 0)
        return -EFAULT;
    /* What has just been read may have gone again: then bring it back. */
    while (vm_get_page_mapping(space, user, &physical) != VM_OK) {
        if (vm_fault_aspace(space, user, VM_ACCESS_READ | VM_ACCESS_USER) != VM_OK)
            return -EFAULT;
    }
    *word = host_frame_ptr(physical);
    return 0;
}

static int get_deadline(const void *user, int command, bool realtime, uint64_t *deadline)
{
    struct linux_timespec time;
    uint64_t nanoseconds;
    *deadline = VM_NO_DEADLINE;
    if (user == NULL)
        return 0;
    if (copy_from_user(&time, user, sizeof(time)) != 0)
        return -EFAULT;
    if (!timespec_to_ns(&time, &nanoseconds))
        return -EINVAL;
    if (command == FUTEX_WAIT) {
        *deadline = host_time_ns() + nanoseconds;
    } else if (realtime) {
        uint64_t now = time_realtime();
        *deadline = nanoseconds > now ? host_time_ns() + (nanoseconds - now) : 0;
    } else {
        *deadline = nanoseconds;
    }
    return 0;
}

static int64_t futex_wait(struct trap_frame *frame, int command, bool realtime)
{
    uint32_t *word, expected = (uint32_t)ARGUMENT(2);
    uint64_t deadline;
    int error = get_deadline(POINTER(3), command, realtime, &deadline);
    if (error == 0)
        error = find_word(ARGUMENT(0), &word);
    if (error != 0)
        return error;
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != expected)
        return -EAGAIN;
    error = thread_wait(word, expected, deadline, WAIT_INTERRUPTIBLE);
    return error == -EINTR ? -ERESTARTSYS : error;
}

/* How many were woken isn't known here: 0 is what is said. */
static int64_t futex_wake(struct trap_frame *frame)
{
    uint32_t *word;
    int error = find_word(ARGUMENT(0), &word);
    if (error != 0)
        return error;
    thread_wake(word, (uint32_t)ARGUMENT(2));
    return 0;
}

int64_t sys_futex(struct trap_frame *frame)
{
    int command = INTEGER(1) & ~(FUTEX_PRIVATE | FUTEX_REALTIME);
    bool realtime = (INTEGER(1) & FUTEX_REALTIME) != 0;
    bool bitset = command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET;
    if (bitset && (uint32_t)ARGUMENT(5) == 0)
        return -EINVAL;
    switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        return futex_wait(frame, command, realtime);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        return futex_wake(frame);
    default:
        return -ENOSYS;
    }
}
