/* SPDX-License-Identifier: MIT */
/* Waiting for files: poll and select. */
#include "arguments.h"
#include <kernel/process.h>
#include <quire/host.h>

struct linux_pollfd {
    int32_t fd;
    int16_t events, returned;
};

enum { SET_WORD_BITS = 64, SETS = 3 };

/* A wait's end, and the signals that are blocked during it. */
struct poll_limits {
    uint64_t deadline;
    bool has_mask;
    uint64_t mask;
};

/* The number of entries with something to say. */
static int64_t look(struct linux_pollfd *entries, size_t count)
{
    int64_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        entries[i].returned = 0;
        if (entries[i].fd < 0)
            continue;
        struct file *file = file_of(entries[i].fd);
        unsigned events = POLLNVAL;
        if (file != NULL) {
            unsigned wanted = (uint16_t)entries[i].events;
            events = file_poll(file) & (wanted | POLLERR | POLLHUP);
            file_release(file);
        }
        entries[i].returned = (int16_t)events;
        ready += events != 0;
    }
    return ready;
}

/* Until an entry is ready, the deadline has come (0), or a signal (-ERESTARTNOHAND). */
static int64_t wait_for_files(struct linux_pollfd *entries, size_t count,
                              const struct poll_limits *limits)
{
    int64_t result;
    if (limits->has_mask)
        signal_set_temporary_mask(limits->mask);
    for (;;) {
        uint32_t seen = event_read(&poll_event);
        result = look(entries, count);
        if (result != 0)
            break;
        int error = event_wait(&poll_event, seen, limits->deadline, WAIT_INTERRUPTIBLE);
        if (error == -ETIMEDOUT) {
            result = look(entries, count);
            break;
        }
        if (error == -EINTR) {
            result = -ERESTARTNOHAND;
            break;
        }
    }
    if (limits->has_mask && result != -ERESTARTNOHAND)
        signal_restore_mask();
    return result;
}

static uint64_t deadline_in(uint64_t nanoseconds)
{
    uint64_t now = host_time_ns();
    return nanoseconds >= VM_NO_DEADLINE - now ? VM_NO_DEADLINE : now + nanoseconds;
}

static int64_t poll_entries(void *user, size_t count, const struct poll_limits *limits)
{
    size_t size = count * sizeof(struct linux_pollfd);
    if (count > FD_MAX)
        return -EINVAL;
    struct linux_pollfd *entries = vm_meta_alloc(size + 1);
    if (entries == NULL)
        return -ENOMEM;
    int64_t result = copy_from_user(entries, user, size);
    if (result == 0)
        result = wait_for_files(entries, count, limits);
    if (result >= 0 && copy_to_user(user, entries, size) != 0)
        result = -EFAULT;
    vm_meta_free(entries, size + 1);
    return result;
}

int64_t sys_poll(struct trap_frame *frame)
{
    struct poll_limits limits = {.deadline = VM_NO_DEADLINE};
    if (INTEGER(2) >= 0)
        limits.deadline = deadline_in((uint64_t)INTEGER(2) * 1000000);
    return poll_entries(POINTER(0), UNSIGNED(1), &limits);
}

/* The timespec and the signal mask of ppoll; NULL is forever, and no mask. */
static int get_limits(const void *user_time, const void *user_mask, size_t mask_size,
                      struct poll_limits *limits)
{
    struct linux_timespec time;
    uint64_t nanoseconds;
    *limits = (struct poll_limits){.deadline = VM_NO_DEADLINE};
    if (user_time != NULL) {
        if (copy_from_user(&time, user_time, sizeof(time)) != 0)
            return -EFAULT;
        if (!timespec_to_ns(&time, &nanoseconds))
            return -EINVAL;
        limits->deadline = deadline_in(nanoseconds);
    }
    if (user_mask != NULL) {
        if (mask_size != sizeof(limits->mask))
            return -EINVAL;
        if (copy_from_user(&limits->mask, user_mask, sizeof(limits->mask)) != 0)
            return -EFAULT;
        limits->has_mask = true;
    }
    return 0;
}

int64_t sys_ppoll(struct trap_frame *frame)
{
    struct poll_limits limits;
    int error = get_limits(POINTER(2), POINTER(3), SIZE(4), &limits);
    return error != 0 ? error : poll_entries(POINTER(0), UNSIGNED(1), &limits);
}

/* ---- select ------------------------------------------------------------------------------------------- */

#define SELECT_READ (POLLIN | POLLRDNORM | POLLHUP | POLLERR)
#define SELECT_WRITE (POLLOUT | POLLWRNORM | POLLERR)
#define SELECT_EXCEPTION POLLPRI
static const unsigned select_events[SETS] = {SELECT_READ, SELECT_WRITE, SELECT_EXCEPTION};

typedef uint64_t descriptor_set[FD_MAX / SET_WORD_BITS];

struct selection {
    unsigned limit; /* descriptors below this */
    descriptor_set sets[SETS];
    struct linux_pollfd entries[FD_MAX];
};

static size_t set_size(unsigned limit)
{
    return (limit + SET_WORD_BITS - 1) / SET_WORD_BITS * sizeof(uint64_t);
}

static bool in_set(const uint64_t *set, unsigned fd)
{
    return (set[fd / SET_WORD_BITS] >> fd % SET_WORD_BITS & 1) != 0;
}

static size_t collect(struct selection *selection)
{
    size_t count = 0;
    for (unsigned fd = 0; fd < selection->limit; fd++) {
        unsigned events = 0;
        for (unsigned i = 0; i < SETS; i++)
            events |= in_set(selection->sets[i], fd) ? select_events[i] : 0u;
        if (events != 0)
            selection->entries[count++] = (struct linux_pollfd){(int)fd, (int16_t)events, 0};
    }
    return count;
}

/* Turns what poll found into sets; the number of bits in them. */
static int64_t distribute(struct selection *selection, size_t count)
{
    descriptor_set wanted[SETS];
    int64_t bits = 0;
    memcpy(wanted, selection->sets, sizeof(wanted));
    memset(selection->sets, 0, sizeof(selection->sets));
    for (size_t i = 0; i < count; i++) {
        unsigned fd = (unsigned)selection->entries[i].fd;
        unsigned events = (uint16_t)selection->entries[i].returned;
        if ((events & POLLNVAL) != 0)
            return -EBADF;
        for (unsigned set = 0; set < SETS; set++) {
            if ((events & select_events[set]) != 0 && in_set(wanted[set], fd)) {
                selection->sets[set][fd / SET_WORD_BITS] |= 1ull << fd % SET_WORD_BITS;
                bits++;
            }
        }
    }
    return bits;
}

static int64_t select_in(struct selection *selection, void *const *user,
                         const struct poll_limits *limits)
{
    size_t size = set_size(selection->limit);
    for (unsigned i = 0; i < SETS; i++) {
        memset(selection->sets[i], 0, sizeof(selection->sets[i]));
        if (user[i] != NULL && copy_from_user(selection->sets[i], user[i], size) != 0)
            return -EFAULT;
    }
    size_t count = collect(selection);
    int64_t result = wait_for_files(selection->entries, count, limits);
    if (result >= 0)
        result = distribute(selection, count);
    for (unsigned i = 0; i < SETS && result >= 0; i++) {
        if (user[i] != NULL && copy_to_user(user[i], selection->sets[i], size) != 0)
            result = -EFAULT;
    }
    return result;
}

static int64_t select(struct trap_frame *frame, const struct poll_limits *limits)
{
    void *const user[SETS] = {POINTER(1), POINTER(2), POINTER(3)};
    if (INTEGER(0) < 0)
        return -EINVAL;
    struct selection *selection = vm_meta_alloc(sizeof(*selection));
    if (selection == NULL)
        return -ENOMEM;
    selection->limit = UNSIGNED(0) < FD_MAX ? UNSIGNED(0) : FD_MAX;
    int64_t result = select_in(selection, user, limits);
    vm_meta_free(selection, sizeof(*selection));
    return result;
}

int64_t sys_select(struct trap_frame *frame)
{
    struct poll_limits limits = {.deadline = VM_NO_DEADLINE};
    int64_t time[2];
    if (POINTER(4) != NULL) {
        if (copy_from_user(time, POINTER(4), sizeof(time)) != 0)
            return -EFAULT;
        struct linux_timespec timeout = {time[0] + time[1] / 1000000, time[1] % 1000000 * 1000};
        uint64_t nanoseconds;
        if (time[1] < 0 || !timespec_to_ns(&timeout, &nanoseconds))
            return -EINVAL;
        limits.deadline = deadline_in(nanoseconds);
    }
    return select(frame, &limits);
}

int64_t sys_pselect6(struct trap_frame *frame)
{
    struct {
        void *mask;
        size_t size;
    } sixth = {NULL, 0};
    struct poll_limits limits;
    if (POINTER(5) != NULL && copy_from_user(&sixth, POINTER(5), sizeof(sixth)) != 0)
        return -EFAULT;
    int error = get_limits(POINTER(4), sixth.mask, sixth.size, &limits);
    return error != 0 ? error : select(frame, &limits);
}
