/* SPDX-License-Identifier: MIT */
/* Time, and things that happen at one. All times are nanoseconds. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include <stdbool.h>
#include <stdint.h>
#include <quire/host.h>

#define NS_PER_SECOND 1000000000ull
#define NS_PER_TICK 10000000ull /* 100 Hz: accounting and time slices */

/* Since the start of the machine; the same as host_time_ns(). */
uint64_t time_monotonic(void);
/* Since 1970. */
uint64_t time_realtime(void);

/* `function` is called once, in the timer interrupt, when `deadline` (monotonic) has come. It must
 * not sleep; it may set the timer again. All zero is a timer that isn't set. */
struct timer {
    uint64_t deadline;
    void (*function)(struct timer *timer);
    struct timer *next, *previous;
    bool set;
};
void timer_set(struct timer *timer, uint64_t deadline, void (*function)(struct timer *timer));
/* Afterwards the function doesn't run and will not. Returns whether it was still to come. */
bool timer_cancel(struct timer *timer);
/* The time of all processes so far, by ticks; ns. */
void timer_get_times(uint64_t *user, uint64_t *system);

#endif
