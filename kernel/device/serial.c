/* SPDX-License-Identifier: MIT */
/* The two serial ports. Output waits for the port, byte by byte; input comes by interrupt, is decoded
 * as it comes, and lies in a ring until somebody reads it. */
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/errno.h>
#include <kernel/log.h>
#include <kernel/thread.h>
#include "device/serial.h"
#include "main/debugger.h"
#include "process/init.h"

#define PORT_1 0x3f8
#define PORT_2 0x2f8
#define DATA 0
#define INTERRUPT_ENABLE 1
#define FIFO_CONTROL 2
#define LINE_CONTROL 3
#define MODEM_CONTROL 4
#define LINE_STATUS 5
#define STATUS_INPUT 0x01
#define STATUS_OUTPUT_EMPTY 0x20

#define ESCAPE 0x10
#define ESCAPE_END 0x04
#define ESCAPE_DEBUGGER 0x02
#define ESCAPE_FIGURES 0x06

void interrupt_enable_line(unsigned line);

/* Guarded by `lock`. When the ring is full the port's interrupt is turned off, and the machine's
 * other side waits: no byte is lost. */
static struct {
    struct spinlock lock;
    bool escaped, ended, stopped;
    size_t head, count;
    uint8_t bytes[4096];
} input;

extern struct event poll_event; /* kernel/fs's: who polls looks again */
struct event console_event;
bool console_is_tty;
unsigned console_rows = 24, console_columns = 80;

static void port_init(uint16_t port)
{
    out8(port + INTERRUPT_ENABLE, 0);
    out8(port + LINE_CONTROL, 0x80);
    out8(port + DATA, 1);
    out8(port + INTERRUPT_ENABLE, 0);
    out8(port + LINE_CONTROL, 0x03);
    out8(port + FIFO_CONTROL, 0xc7); /* empty, and an interrupt for 14 bytes, or after a while */
    out8(port + MODEM_CONTROL, 0x0b);
}

void serial_init(void)
{
    port_init(PORT_1);
    port_init(PORT_2);
    out8(PORT_1 + INTERRUPT_ENABLE, 1);
    interrupt_enable_line(SERIAL_INPUT_LINE);
    /* The port forgets what came before: the tool sends nothing until it is told to. */
    log_record("ready");
}

static void put_byte(uint16_t port, uint8_t byte)
{
    while ((in8(port + LINE_STATUS) & STATUS_OUTPUT_EMPTY) == 0) {
    }
    out8(port + DATA, byte);
}

void console_write(enum console_stream stream, const void *bytes, size_t length)
{
    uint16_t port = stream == CONSOLE_OUTPUT ? PORT_1 : PORT_2;
    for (size_t i = 0; i < length; i++)
        put_byte(port, ((const uint8_t *)bytes)[i]);
}

enum decoded { DECODED_NOTHING, DECODED_BYTE, DECODED_END, DECODED_DEBUGGER, DECODED_FIGURES };

static enum decoded decode(uint8_t byte)
{
    if (!input.escaped) {
        input.escaped = byte == ESCAPE;
        return input.escaped ? DECODED_NOTHING : DECODED_BYTE;
    }
    input.escaped = false;
    switch (byte) {
    case ESCAPE:
        return DECODED_BYTE;
    case ESCAPE_END:
        return DECODED_END;
    case ESCAPE_DEBUGGER:
        return DECODED_DEBUGGER;
    case ESCAPE_FIGURES:
        return DECODED_FIGURES;
    default:
        return DECODED_NOTHING;
    }
}

static void store(uint8_t byte)
{
    input.bytes[(input.head + input.count) % sizeof(input.bytes)] = byte;
    input.count++;
    if (input.count == sizeof(input.bytes)) {
        input.stopped = true;
        out8(PORT_1 + INTERRUPT_ENABLE, 0);
    }
}

/* Takes what the port has, up to a word for the kernel, which it returns; DECODED_NOTHING: there is none. */
static enum decoded take_input(void)
{
    while (!input.stopped && (in8(PORT_1 + LINE_STATUS) & STATUS_INPUT) != 0) {
        uint8_t byte = in8(PORT_1 + DATA);
        enum decoded decoded = decode(byte);
        if (decoded == DECODED_DEBUGGER || decoded == DECODED_FIGURES)
            return decoded;
        if (decoded == DECODED_END)
            input.ended = true;
        else if (decoded == DECODED_BYTE && !input.ended)
            store(byte);
    }
    return DECODED_NOTHING;
}

void serial_interrupt(void)
{
    enum decoded wanted;
    do {
        spin_lock(&input.lock);
        wanted = take_input();
        spin_unlock(&input.lock);
        event_signal(&console_event);
        event_signal(&poll_event);
        if (wanted == DECODED_DEBUGGER)
            debugger_enter("asked for");
        else if (wanted == DECODED_FIGURES)
            init_print_figures();
    } while (wanted != DECODED_NOTHING);
}

int serial_poll_input(void)
{
    for (;;) {
        if (input.ended)
            return -1;
        if ((in8(PORT_1 + LINE_STATUS) & STATUS_INPUT) == 0)
            continue;
        uint8_t byte = in8(PORT_1 + DATA);
        enum decoded decoded = decode(byte);
        if (decoded == DECODED_END)
            input.ended = true;
        else if (decoded == DECODED_BYTE)
            return byte;
    }
}

bool console_readable(void)
{
    return __atomic_load_n(&input.count, __ATOMIC_RELAXED) > 0 ||
           __atomic_load_n(&input.ended, __ATOMIC_RELAXED);
}

size_t console_available(void)
{
    return __atomic_load_n(&input.count, __ATOMIC_RELAXED);
}

static size_t take_bytes(uint8_t *buffer, size_t size)
{
    size_t taken = 0;
    spin_lock(&input.lock);
    for (; taken < size && input.count > 0; taken++, input.count--) {
        buffer[taken] = input.bytes[input.head];
        input.head = (input.head + 1) % sizeof(input.bytes);
    }
    if (input.stopped && taken > 0) {
        input.stopped = false;
        out8(PORT_1 + INTERRUPT_ENABLE, 1);
    }
    spin_unlock(&input.lock);
    return taken;
}

int64_t console_read(void *buffer, size_t size, int mode)
{
    for (;;) {
        uint32_t seen = event_read(&console_event);
        size_t taken = take_bytes(buffer, size);
        if (taken > 0)
            return (int64_t)taken;
        if (input.ended)
            return 0;
        int error = event_wait(&console_event, seen, VM_NO_DEADLINE, mode);
        if (error != 0)
            return error;
    }
}
