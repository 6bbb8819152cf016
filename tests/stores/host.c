/* SPDX-License-Identifier: MIT */
/* A host of frames and waiting, for stores alone, with real threads. */
#define _GNU_SOURCE
#include "support.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FRAMES 8192
#define FRAMES_BASE ((addr_t)1 << 40)

static _Alignas(4096) uint8_t arena[FRAMES][VM_PAGE_SIZE];
static bool used[FRAMES];
static size_t used_count, fail_at;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Every other one is at the arena's other end. */
void *host_frame_ptr(addr_t physical)
{
    size_t number = (physical - FRAMES_BASE) / VM_PAGE_SIZE;
    if (physical < FRAMES_BASE || number >= FRAMES)
        abort();
    size_t place = number % 2 == 0 ? number / 2 : FRAMES - 1 - number / 2;
    return arena[place] + physical % VM_PAGE_SIZE;
}

int frames_allocate(size_t count, bool clear, addr_t *physical)
{
    int error = count == 1 ? ERR_NO_MEMORY : ERR_INVALID_ARGS;
    pthread_mutex_lock(&lock);
    bool fail = fail_at == 1;
    fail_at -= fail_at > 1;
    for (size_t i = 0; i < FRAMES && error == ERR_NO_MEMORY && !fail; i++) {
        if (used[i])
            continue;
        used[i] = true;
        used_count++;
        *physical = FRAMES_BASE + i * VM_PAGE_SIZE;
        memset(host_frame_ptr(*physical), clear ? 0 : 0xa5, VM_PAGE_SIZE);
        error = VM_OK;
    }
    pthread_mutex_unlock(&lock);
    return error;
}

void frames_free(addr_t physical, size_t count)
{
    size_t number = (physical - FRAMES_BASE) / VM_PAGE_SIZE;
    pthread_mutex_lock(&lock);
    if (count != 1 || !used[number])
        abort();
    used[number] = false;
    used_count--;
    pthread_mutex_unlock(&lock);
}

size_t frames_used(void)
{
    return used_count;
}

void frames_fail(size_t n)
{
    fail_at = n;
}

int host_wait(uint32_t *address, uint32_t expected, uint64_t deadline, bool killable)
{
    (void)deadline, (void)killable;
    if (syscall(SYS_futex, address, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0) != 0 &&
        errno != EAGAIN && errno != EINTR)
        abort();
    return VM_OK;
}

void host_wake(uint32_t *address, uint32_t count)
{
    (void)syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, count > INT32_MAX ? INT32_MAX : count,
                  NULL, NULL, 0);
}
