/* SPDX-License-Identifier: MIT */
/* Time: the TSC, measured once against the PIT, and the date the machine started at, from the CMOS. */
#include <kernel/timer.h>
#include "x86/x86.h"

#define PIT_HZ 1193182ull
#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND 0x43
#define SPEAKER_PORT 0x61
#define CALIBRATION_COUNT 11932u /* 10 ms */

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71

void timer_calibrate_start(void);
void timer_calibrate_end(uint64_t elapsed_ns);

static uint64_t tsc_start;
static uint64_t ns_per_tsc; /* 32.32 fixed point */
static uint64_t realtime_start;

uint64_t time_monotonic(void)
{
    uint64_t ticks = read_tsc() - tsc_start;
    return (uint64_t)((unsigned __int128)ticks * ns_per_tsc >> 32);
}

uint64_t time_realtime(void)
{
    return realtime_start + time_monotonic();
}

uint64_t host_time_ns(void)
{
    return time_monotonic();
}

/* Channel 2 counts down once; its output, bit 5, rises at the end. */
static void pit_wait(void)
{
    out8(SPEAKER_PORT, (uint8_t)((in8(SPEAKER_PORT) & 0xfc) | 1));
    out8(PIT_COMMAND, 0xb0);
    out8(PIT_CHANNEL_2, CALIBRATION_COUNT & 0xff);
    out8(PIT_CHANNEL_2, CALIBRATION_COUNT >> 8);
    while ((in8(SPEAKER_PORT) & 0x20) == 0) {
    }
}

static unsigned cmos_read(uint8_t index)
{
    out8(CMOS_INDEX, index);
    return in8(CMOS_DATA);
}

static unsigned from_bcd(unsigned value)
{
    return (value >> 4) * 10 + (value & 15);
}

/* Days since 1970 of a date in the Gregorian calendar, with years that begin in March. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    uint64_t y = month <= 2 ? year - 1 : year;
    uint64_t m = month <= 2 ? month + 9 : month - 3;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static uint64_t cmos_seconds(void)
{
    static const uint8_t indexes[6] = {0, 2, 4, 7, 8, 9};
    unsigned values[6];
    while ((cmos_read(10) & 0x80) != 0) {
    }
    bool binary = (cmos_read(11) & 4) != 0;
    for (unsigned i = 0; i < 6; i++) {
        values[i] = cmos_read(indexes[i]);
        if (!binary)
            values[i] = from_bcd(values[i]);
    }
    uint64_t days = days_since_1970(2000 + values[5], values[4], values[3]);
    return ((days * 24 + values[2]) * 60 + values[1]) * 60 + values[0];
}

void clock_init(void)
{
    timer_calibrate_start();
    uint64_t before = read_tsc();
    pit_wait();
    uint64_t ticks = read_tsc() - before;
    uint64_t elapsed = CALIBRATION_COUNT * NS_PER_SECOND / PIT_HZ;
    timer_calibrate_end(elapsed);
    ns_per_tsc = (elapsed << 32) / ticks;
    tsc_start = before;
    realtime_start = cmos_seconds() * NS_PER_SECOND - time_monotonic();
}
