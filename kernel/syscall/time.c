/* SPDX-License-Identifier: MIT */
/* Clocks and sleeping. */
#include "arguments.h"
#include <kernel/process.h>
#include <quire/host.h>

enum {
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_THREAD_CPUTIME_ID,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME_COARSE,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_BOOTTIME,
    TIMER_ABSTIME = 1,
};

static struct linux_timespec timespec_of(uint64_t nanoseconds)
{
    return (struct linux_timespec){(int64_t)(nanoseconds / NS_PER_SECOND),
                                   (int64_t)(nanoseconds % NS_PER_SECOND)};
}

static bool read_clock(int clock, uint64_t *nanoseconds)
{
    const struct process_times *times = &process_current()->times;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *nanoseconds = time_realtime();
        return true;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *nanoseconds = time_monotonic();
        return true;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
        *nanoseconds = times->user + times->system;
        return true;
    default:
        return false;
    }
}

int64_t sys_clock_gettime(struct trap_frame *frame)
{
    uint64_t nanoseconds;
    if (!read_clock(INTEGER(0), &nanoseconds))
        return -EINVAL;
    struct linux_timespec time = timespec_of(nanoseconds);
    return copy_to_user(POINTER(1), &time, sizeof(time));
}

int64_t sys_clock_getres(struct trap_frame *frame)
{
    uint64_t nanoseconds;
    struct linux_timespec resolution = {0, 1};
    if (!read_clock(INTEGER(0), &nanoseconds))
        return -EINVAL;
    return POINTER(1) != NULL ? copy_to_user(POINTER(1), &resolution, sizeof(resolution)) : 0;
}

int64_t sys_gettimeofday(struct trap_frame *frame)
{
    uint64_t now = time_realtime();
    int64_t time[2] = {(int64_t)(now / NS_PER_SECOND), (int64_t)(now % NS_PER_SECOND / 1000)};
    int32_t zone[2] = {0, 0};
    if (POINTER(0) != NULL && copy_to_user(POINTER(0), time, sizeof(time)) != 0)
        return -EFAULT;
    return POINTER(1) != NULL ? copy_to_user(POINTER(1), zone, sizeof(zone)) : 0;
}

int64_t sys_time(struct trap_frame *frame)
{
    int64_t seconds = (int64_t)(time_realtime() / NS_PER_SECOND);
    if (POINTER(0) != NULL && copy_to_user(POINTER(0), &seconds, sizeof(seconds)) != 0)
        return -EFAULT;
    return seconds;
}

/* Sleeps; a signal ends it, and `remaining` (NULL: nobody asks) is what was left. */
static int64_t sleep_until(uint64_t deadline, void *remaining)
{
    int error = thread_sleep_until(deadline, WAIT_INTERRUPTIBLE);
    if (error == 0 || remaining == NULL)
        return error;
    uint64_t now = host_time_ns();
    struct linux_timespec left = timespec_of(deadline > now ? deadline - now : 0);
    return copy_to_user(remaining, &left, sizeof(left)) != 0 ? -EFAULT : error;
}

static int get_duration(const void *user, uint64_t *nanoseconds)
{
    struct linux_timespec time;
    if (copy_from_user(&time, user, sizeof(time)) != 0)
        return -EFAULT;
    return timespec_to_ns(&time, nanoseconds) ? 0 : -EINVAL;
}

int64_t sys_nanosleep(struct trap_frame *frame)
{
    uint64_t nanoseconds;
    int error = get_duration(POINTER(0), &nanoseconds);
    return error != 0 ? error : sleep_until(host_time_ns() + nanoseconds, POINTER(1));
}

int64_t sys_clock_nanosleep(struct trap_frame *frame)
{
    uint64_t nanoseconds, now;
    if (!read_clock(INTEGER(0), &now) || INTEGER(0) == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL;
    int error = get_duration(POINTER(2), &nanoseconds);
    if (error != 0)
        return error;
    if ((UNSIGNED(1) & TIMER_ABSTIME) == 0)
        return sleep_until(host_time_ns() + nanoseconds, POINTER(3));
    return sleep_until(nanoseconds > now ? host_time_ns() + (nanoseconds - now) : 0, NULL);
}
