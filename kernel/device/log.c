/* SPDX-License-Identifier: MIT */
/* Text for people and for the tool, on QEMU's debug console: one OUT for each byte, so it works from
 * the first instruction in C to the last word of a panic, under any lock. */
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <quire/host.h>
#include "device/power.h"
#include "main/debugger.h"

#define DEBUG_PORT 0xe9
#define EXIT_PORT 0xf4
#define RECORD_MARK "\001"
#define MESSAGE_SIZE 512

void log_bytes(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out8(DEBUG_PORT, (uint8_t)text[i]);
}

static void log_formatted(const char *format, va_list arguments)
{
    char message[MESSAGE_SIZE];
    int length = format_text_v(message, sizeof(message), format, arguments);
    log_bytes(message, (size_t)length < sizeof(message) ? (size_t)length : sizeof(message) - 1);
}

void log_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_formatted(format, arguments);
    va_end(arguments);
}

void log_record(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_bytes(RECORD_MARK, 1);
    log_formatted(format, arguments);
    log_bytes("\n", 1);
    va_end(arguments);
}

void panic(const char *format, ...)
{
    static uint32_t panicking;
    interrupts_off();
    if (__atomic_exchange_n(&panicking, 1, __ATOMIC_ACQUIRE) != 0)
        machine_stop(MACHINE_PANIC);
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    format_text_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    log_printf("panic: %s\n", text);
    debugger_after_panic();
    log_record("panic %s", text);
    machine_stop(MACHINE_PANIC);
}

void machine_stop(enum machine_result result)
{
    interrupts_off();
    out8(EXIT_PORT, (uint8_t)result);
    for (;;)
        __asm__ volatile("hlt");
}

void host_log(const char *text, size_t length)
{
    log_bytes(text, length);
}

void host_panic(const char *text)
{
    panic("%s", text);
}
