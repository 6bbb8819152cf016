/* SPDX-License-Identifier: MIT */
/* Faults as messages, read by threads: Linux lets the faulting thread sleep, in a system call, too. */
#include "linux.h"
#include "uapi.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int stop_fd = -1;
static uint32_t running;

static void take(const struct qu_message *message)
{
    addr_t address = (addr_t)message->address & ~VM_PAGE_MASK;
    unsigned access =
        message->flags & (QU_FAULT_WRITE | QU_FAULT_WP) ? VM_ACCESS_WRITE : VM_ACCESS_READ;
    if (message->event != QU_EVENT_PAGEFAULT ||
        fault_resolve(address, access, !(message->flags & QU_FAULT_WP)) == VM_OK)
        return;
    refuse(address);
    uffd_wake(address);
}

static int handle(void *unused)
{
    struct pollfd wait[2] = {{process.uffd[QUIRE_MODE_HANDLER], POLLIN, 0}, {stop_fd, POLLIN, 0}};
    (void)unused;
    for (;;) {
        struct qu_message message;
        int pause = refuse_end_due();
        if (read(wait[0].fd, &message, sizeof message) == (ssize_t)sizeof message) {
            take(&message);
            continue;
        }
        if (poll(wait, 2, pause) > 0 && (wait[1].revents & POLLIN))
            break;
    }
    __atomic_fetch_sub(&running, 1, __ATOMIC_RELEASE);
    host_wake(&running, 1);
    return 0;
}

int handler_start(void)
{
    int error = VM_OK;
    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop_fd < 0)
        return ERR_NO_MEMORY;
    running = 0;
    refuse_start();
    for (unsigned i = 0; i < process.handlers && error == VM_OK; i++) {
        __atomic_fetch_add(&running, 1, __ATOMIC_RELAXED);
        error = host_thread_create("handler", handle, NULL);
        if (error != VM_OK)
            __atomic_fetch_sub(&running, 1, __ATOMIC_RELAXED);
    }
    if (error != VM_OK)
        handler_stop();
    return error;
}

void handler_stop(void)
{
    uint64_t one = 1;
    uint32_t left;
    if (write(stop_fd, &one, sizeof one) != (ssize_t)sizeof one)
        panic("the handlers can't be told to end", errno);
    while ((left = __atomic_load_n(&running, __ATOMIC_ACQUIRE)) != 0)
        (void)host_wait(&running, left, VM_NO_DEADLINE, false);
    handler_forget();
}

void handler_forget(void)
{
    if (stop_fd >= 0)
        close(stop_fd);
    stop_fd = -1;
}
