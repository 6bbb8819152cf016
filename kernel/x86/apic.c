/* SPDX-License-Identifier: MIT */
/* Interrupts: the two 8259s for the serial port, the local APIC for the timer. */
#include <quire/host.h>
#include "x86/x86.h"

#define PIC_COMMAND_1 0x20
#define PIC_DATA_1 0x21
#define PIC_COMMAND_2 0xa0
#define PIC_DATA_2 0xa1
#define PIC_END 0x20

#define APIC_BASE 0xfee00000ul
#define APIC_END 0x0b0
#define APIC_SPURIOUS 0x0f0
#define APIC_TIMER 0x320
#define APIC_LINT0 0x350
#define APIC_INITIAL_COUNT 0x380
#define APIC_CURRENT_COUNT 0x390
#define APIC_DIVIDE 0x3e0

#define APIC_ENABLE 0x100u
#define APIC_EXTERNAL 0x700u
#define APIC_DIVIDE_BY_16 0x3u

static uint64_t timer_counts_per_ms;

static volatile uint32_t *apic_register(unsigned offset)
{
    return host_frame_ptr(APIC_BASE + offset);
}

static void pic_init(void)
{
    out8(PIC_COMMAND_1, 0x11);
    out8(PIC_COMMAND_2, 0x11);
    out8(PIC_DATA_1, VECTOR_PIC);
    out8(PIC_DATA_2, VECTOR_PIC + 8);
    out8(PIC_DATA_1, 4);
    out8(PIC_DATA_2, 2);
    out8(PIC_DATA_1, 1);
    out8(PIC_DATA_2, 1);
    out8(PIC_DATA_1, 0xfb); /* nothing but the second chip's line */
    out8(PIC_DATA_2, 0xff);
}

void interrupt_controller_init(void)
{
    pic_init();
    *apic_register(APIC_SPURIOUS) = APIC_ENABLE | VECTOR_SPURIOUS;
    *apic_register(APIC_LINT0) = APIC_EXTERNAL;
    *apic_register(APIC_DIVIDE) = APIC_DIVIDE_BY_16;
    *apic_register(APIC_TIMER) = VECTOR_TIMER;
}

void interrupt_enable_line(unsigned line)
{
    uint16_t port = line < 8 ? PIC_DATA_1 : PIC_DATA_2;
    out8(port, (uint8_t)(in8(port) & ~(1u << (line & 7))));
}

void interrupt_end(unsigned vector)
{
    if (vector == VECTOR_TIMER) {
        *apic_register(APIC_END) = 0;
        return;
    }
    if (vector >= VECTOR_PIC + 8)
        out8(PIC_COMMAND_2, PIC_END);
    out8(PIC_COMMAND_1, PIC_END);
}

void timer_calibrate_start(void)
{
    *apic_register(APIC_INITIAL_COUNT) = UINT32_MAX;
}

void timer_calibrate_end(uint64_t elapsed_ns)
{
    uint64_t counts = UINT32_MAX - *apic_register(APIC_CURRENT_COUNT);
    timer_counts_per_ms = counts * 1000000 / elapsed_ns;
    *apic_register(APIC_INITIAL_COUNT) = 0;
}

void timer_hardware_set(uint64_t ns_from_now)
{
    uint64_t counts = ns_from_now * timer_counts_per_ms / 1000000;
    if (counts > UINT32_MAX)
        counts = UINT32_MAX;
    *apic_register(APIC_INITIAL_COUNT) = (uint32_t)(counts == 0 ? 1 : counts);
}
