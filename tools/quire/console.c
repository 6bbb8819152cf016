/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "terminal.h"

/* On the way to COM1, ESCAPE begins a word to the kernel's driver. */
#define ESCAPE 0x10
#define ESCAPE_END 0x04
#define ESCAPE_DEBUGGER 0x02
#define ESCAPE_FIGURES 0x06
#define MS_FOR_FIGURES 2000
#define KEY_DEBUGGER 0x1d /* Ctrl-] */
#define KEYS_TO_END 3

#define INPUT_CHUNK 2048

struct console {
    struct machine *machine;
    struct record_reader *reader;
    int signals;
    bool keyboard; /* standard input is a terminal: it has a debugger key */
    bool input_ended;
    unsigned keys;                      /* debugger keys in a row */
    uint8_t input[2 * INPUT_CHUNK + 2]; /* escaped; not yet taken by the machine */
    size_t start, end;
    enum console_end result;
    bool finished;
    int signal;
};

static void blocked_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGQUIT);
}

void console_block_signals(void)
{
    sigset_t set;
    blocked_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void finish(struct console *console, enum console_end result)
{
    if (!console->finished)
        console->result = result;
    console->finished = true;
}

/* ---- to the machine ---- */

static void put_input(struct console *console, uint8_t byte)
{
    console->input[console->end++] = byte;
}

static void put_word(struct console *console, uint8_t word)
{
    put_input(console, ESCAPE);
    put_input(console, word);
}

static void take_key(struct console *console, uint8_t byte)
{
    if (console->keyboard && byte == KEY_DEBUGGER) {
        put_word(console, ESCAPE_DEBUGGER);
        if (++console->keys == KEYS_TO_END) {
            console->signal = SIGINT;
            finish(console, CONSOLE_SIGNAL);
        }
        return;
    }
    console->keys = 0;
    if (byte == ESCAPE)
        put_word(console, ESCAPE);
    else
        put_input(console, byte);
}

static void read_input(struct console *console)
{
    uint8_t bytes[INPUT_CHUNK];
    ssize_t length = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (length < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    console->start = console->end = 0;
    for (ssize_t i = 0; i < length; i++)
        take_key(console, bytes[i]);
    if (length <= 0) {
        console->input_ended = true;
        put_word(console, ESCAPE_END);
    }
}

static void send_input(struct console *console)
{
    ssize_t length = write(console->machine->console, console->input + console->start,
                           console->end - console->start);
    if (length > 0)
        console->start += (size_t)length;
    else if (length < 0 && errno != EAGAIN && errno != EINTR)
        console->start = console->end; /* it has gone; the end of its output says so */
}

/* ---- from the machine ---- */

static void output_failed(struct console *console, int reason)
{
    if (reason != EPIPE)
        fail(STATUS_ERROR, "can't write to standard output: %s", strerror(reason));
    finish(console, reason == EPIPE ? CONSOLE_OUTPUT_GONE : CONSOLE_FAILED);
}

static void write_output(struct console *console, const char *bytes, size_t length)
{
    while (length != 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN) {
            struct pollfd ready = {STDOUT_FILENO, POLLOUT, 0};
            poll(&ready, 1, -1);
            continue;
        }
        if (written <= 0) {
            output_failed(console, errno);
            return;
        }
        bytes += written;
        length -= (size_t)written;
    }
}

/* Passes on what has come by `*from`; closes it at its end. */
static void copy_output(struct console *console, int *from)
{
    char bytes[16384];
    ssize_t length = read(*from, bytes, sizeof(bytes));
    if (length < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (length <= 0) {
        close(*from);
        *from = -1;
    } else if (from == &console->machine->console) {
        write_output(console, bytes, (size_t)length);
    } else if (from == &console->machine->errors) {
        write_words(bytes, (size_t)length);
    } else {
        record_feed(console->reader, bytes, (size_t)length);
    }
}

static void take_signal(struct console *console)
{
    struct signalfd_siginfo information;
    if (read(console->signals, &information, sizeof(information)) != sizeof(information))
        return;
    console->signal = (int)information.ssi_signo;
    finish(console, CONSOLE_SIGNAL);
}

/* ---- the loop ---- */

enum { POLL_SIGNALS, POLL_CONSOLE, POLL_ERRORS, POLL_WORDS, POLL_INPUT, POLL_COUNT };

static void prepare_poll(const struct console *console, struct pollfd *polls)
{
    const struct machine *machine = console->machine;
    bool pending = console->start != console->end;
    polls[POLL_SIGNALS] = (struct pollfd){console->signals, POLLIN, 0};
    polls[POLL_CONSOLE] =
        (struct pollfd){machine->console, (short)(POLLIN | (pending ? POLLOUT : 0)), 0};
    polls[POLL_ERRORS] = (struct pollfd){machine->errors, POLLIN, 0};
    polls[POLL_WORDS] = (struct pollfd){machine->words, POLLIN, 0};
    bool wanted = console->reader->ready && !pending && !console->input_ended;
    polls[POLL_INPUT] = (struct pollfd){wanted ? STDIN_FILENO : -1, POLLIN, 0};
}

static void handle_poll(struct console *console, const struct pollfd *polls)
{
    struct machine *machine = console->machine;
    if (polls[POLL_SIGNALS].revents != 0)
        take_signal(console);
    if ((polls[POLL_CONSOLE].revents & POLLOUT) != 0)
        send_input(console);
    if ((polls[POLL_CONSOLE].revents & ~POLLOUT) != 0)
        copy_output(console, &machine->console);
    if (polls[POLL_ERRORS].revents != 0)
        copy_output(console, &machine->errors);
    if (polls[POLL_WORDS].revents != 0)
        copy_output(console, &machine->words);
    if (polls[POLL_INPUT].revents != 0)
        read_input(console);
    if (machine->console < 0 && machine->errors < 0 && machine->words < 0)
        finish(console, CONSOLE_MACHINE_ENDED);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What is on its way to the program will not be read any more, and an escape in it has no end. */
static void ask_for_figures(struct console *console)
{
    bool in_escape = console->start > 0 && console->start < console->end &&
                     console->input[console->start - 1] == ESCAPE;
    uint8_t byte = in_escape ? console->input[console->start] : 0;
    console->start = console->end = 0;
    console->input_ended = true;
    if (in_escape)
        put_input(console, byte);
    put_word(console, ESCAPE_FIGURES);
}

/* False: poll has failed. `left` in milliseconds; -1: for ever. */
static bool wait_and_copy(struct console *console, int64_t left)
{
    struct pollfd polls[POLL_COUNT];
    prepare_poll(console, polls);
    int ready = poll(polls, POLL_COUNT, left > INT_MAX ? INT_MAX : (int)left);
    if (ready > 0)
        handle_poll(console, polls);
    return ready >= 0 || errno == EINTR;
}

/* Until the time is over, or the console is finished or, if they are awaited, the figures are there. */
static void loop(struct console *console, int64_t deadline, bool awaits_figures)
{
    while (!console->finished && !(awaits_figures && console->reader->has_figures)) {
        int64_t left = deadline == INT64_MAX ? -1 : deadline - now_ms();
        if (deadline != INT64_MAX && left <= 0)
            return;
        if (!wait_and_copy(console, left)) {
            fail(STATUS_ERROR, "poll: %s", strerror(errno));
            finish(console, CONSOLE_FAILED);
        }
    }
}

static void run_all(struct console *console, unsigned timeout, bool wants_figures)
{
    loop(console, timeout != 0 ? now_ms() + (int64_t)timeout * 1000 : INT64_MAX, false);
    bool over = !console->finished;
    if (over && wants_figures && console->reader->ready) {
        ask_for_figures(console);
        loop(console, now_ms() + MS_FOR_FIGURES, true);
    }
    if (over)
        console->result = CONSOLE_TIMEOUT;
}

enum console_end console_run(struct machine *machine, struct record_reader *reader,
                             unsigned timeout, bool wants_figures, int *signal)
{
    struct console console = {.machine = machine, .reader = reader};
    sigset_t set;
    blocked_signals(&set);
    console.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (console.signals < 0) {
        fail(STATUS_ERROR, "signalfd: %s", strerror(errno));
        return CONSOLE_FAILED;
    }
    console.keyboard = isatty(STDIN_FILENO) == 1;
    if (terminal_is_interactive())
        terminal_make_raw();
    run_all(&console, timeout, wants_figures);
    terminal_restore();
    close(console.signals);
    *signal = console.signal;
    return console.result;
}
