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

/* The frame is held as long as somebody waits at it, so that the page doesn't go to swap and come back in
 * another. put_word ends that. */
static int find_word(uint64_t user, addr_t *word)
{
    aspace_id space = process_current()->memory->id;
    if (user % sizeof(uint32_t) != 0)
        return -EINVAL;
    if (user < USER_BASE || user >= USER_TOP ||
        vm_hold_page(space, user, VM_ACCESS_READ | VM_ACCESS_USER, word) != VM_OK)
        return -EFAULT;
    return 0;
}

static void put_word(addr_t word)
{
    vm_unhold_page(word, false);
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
    uint32_t expected = (uint32_t)ARGUMENT(2);
    uint64_t deadline;
    addr_t physical;
    int error = get_deadline(POINTER(3), command, realtime, &deadline);
    if (error == 0)
        error = find_word(ARGUMENT(0), &physical);
    if (error != 0)
        return error;
    uint32_t *word = host_frame_ptr(physical);
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != expected)
        error = -EAGAIN;
    else
        error = thread_wait(word, expected, deadline, WAIT_INTERRUPTIBLE);
    put_word(physical);
    return error == -EINTR ? -ERESTARTSYS : error;
}

/* How many were woken isn't known here: 0 is what is said. */
static int64_t futex_wake(struct trap_frame *frame)
{
    addr_t word;
    int error = find_word(ARGUMENT(0), &word);
    if (error != 0)
        return error;
    thread_wake(host_frame_ptr(word), (uint32_t)ARGUMENT(2));
    put_word(word);
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
