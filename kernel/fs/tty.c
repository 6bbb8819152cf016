/* SPDX-License-Identifier: MIT */
#include "tty.h"
#include "file.h"
#include "user_copy.h"
#include <kernel/console.h>
#include <kernel/process.h>

enum { QUEUE_SIZE = 4096, END_OF_FILE = 0x100 };

/* As the kernel of Linux has it; c_cc's places. */
struct linux_termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[19];
};
enum { VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSUSP = 10, VEOL = 11, VWERASE = 14 };

#define INLCR 0100u
#define IGNCR 0200u
#define ICRNL 0400u
#define OPOST 01u
#define ONLCR 04u
#define ISIG 01u
#define ICANON 02u
#define ECHO 010u
#define ECHOE 020u
#define ECHOK 040u
#define ECHONL 0100u
#define ECHOCTL 01000u

enum {
    TCGETS = 0x5401,
    TCSETS = 0x5402,
    TCSETSW = 0x5403,
    TCSETSF = 0x5404,
    TCSBRK = 0x5409,
    TCXONC = 0x540a,
    TCFLSH = 0x540b,
    TIOCSCTTY = 0x540e,
    TIOCGPGRP = 0x540f,
    TIOCSPGRP = 0x5410,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ = 0x5414,
    FIONREAD = 0x541b,
    TIOCNOTTY = 0x5422,
    TIOCGSID = 0x5429,
};

struct window_size {
    uint16_t rows, columns, pixels_x, pixels_y;
};

/* Characters wait in a ring; in canonical mode only whole lines may be read: those in front of
 * `editing`, the number of characters of the line that is still being typed. */
static struct {
    struct mutex lock; /* guards all of this */
    struct event event;
    struct linux_termios termios;
    struct window_size window;
    uint16_t queue[QUEUE_SIZE]; /* a character, or END_OF_FILE */
    unsigned start, length, editing;
    int32_t foreground;
    bool ended, window_set;
} tty = {
    .termios = {.iflag = ICRNL,
                .oflag = OPOST | ONLCR,
                .cflag = 0xbf, /* 38400 baud, 8 bits, receiver on */
                .lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL,
                .cc = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22}},
};

/* The group that may read and that ^C goes to: the first program's, until somebody sets another. */
static int32_t foreground(void)
{
    enum { INIT_PID = 1 };
    struct process *first = tty.foreground == 0 ? process_next(INIT_PID) : NULL;
    if (first != NULL) {
        tty.foreground = first->group;
        process_put(first);
    }
    return tty.foreground;
}

/* ---- output ---------------------------------------------------------------------------------------- */

void tty_write(const char *text, size_t length)
{
    bool translate = (tty.termios.oflag & (OPOST | ONLCR)) == (OPOST | ONLCR);
    size_t from = 0;
    for (size_t i = 0; i < length; i++) {
        if (translate && text[i] == '\n') {
            console_write(CONSOLE_OUTPUT, text + from, i - from);
            console_write(CONSOLE_OUTPUT, "\r", 1);
            from = i;
        }
    }
    console_write(CONSOLE_OUTPUT, text + from, length - from);
}

static void echo(uint8_t c)
{
    char shown[2] = {'^', (char)(c ^ 0x40)};
    bool control = (c < 0x20 || c == 0x7f) && c != '\n' && c != '\t';
    if ((tty.termios.lflag & ECHO) == 0) {
        if (c == '\n' && (tty.termios.lflag & ECHONL) != 0)
            tty_write("\n", 1);
    } else if (control && (tty.termios.lflag & ECHOCTL) != 0) {
        tty_write(shown, 2);
    } else {
        tty_write((const char *)&c, 1);
    }
}

/* ---- input, with tty.lock held ------------------------------------------------------------------- */

static void put(uint16_t c)
{
    if (tty.length == QUEUE_SIZE)
        return;
    tty.queue[(tty.start + tty.length++) % QUEUE_SIZE] = c;
    tty.editing++;
}

static uint16_t take(void)
{
    uint16_t c = tty.queue[tty.start];
    tty.start = (tty.start + 1) % QUEUE_SIZE;
    tty.length--;
    return c;
}

static void finish_line(void)
{
    tty.editing = 0;
}

static void erase_one(void)
{
    if (tty.editing == 0)
        return;
    uint16_t c = tty.queue[(tty.start + --tty.length) % QUEUE_SIZE];
    tty.editing--;
    if ((tty.termios.lflag & (ECHO | ECHOE)) != (ECHO | ECHOE))
        return;
    tty_write("\b \b", 3);
    if (c < 0x20 && (tty.termios.lflag & ECHOCTL) != 0)
        tty_write("\b \b", 3);
}

static void erase_line(void)
{
    while (tty.editing > 0)
        erase_one();
}

/* The signal that a key is, or 0. */
static int signal_of_key(uint8_t c)
{
    const uint8_t *cc = tty.termios.cc;
    if ((tty.termios.lflag & ISIG) == 0 || c == 0)
        return 0;
    return c == cc[VINTR] ? SIGINT : c == cc[VQUIT] ? SIGQUIT : c == cc[VSUSP] ? SIGTSTP : 0;
}

/* A character while lines are being edited. */
static void edit(uint8_t c)
{
    const uint8_t *cc = tty.termios.cc;
    if (c != 0 && c == cc[VERASE]) {
        erase_one();
    } else if (c != 0 && c == cc[VKILL]) {
        erase_line();
    } else if (c != 0 && c == cc[VEOF]) {
        put(END_OF_FILE);
        finish_line();
    } else {
        echo(c);
        put(c);
        if (c == '\n' || (c != 0 && c == cc[VEOL]))
            finish_line();
    }
}

static void input_one(uint8_t c)
{
    int number = signal_of_key(c);
    if (number != 0) {
        echo(c);
        tty.length -= tty.editing;
        tty.editing = 0;
        (void)process_signal_group(foreground(), number);
        return;
    }
    if (c == '\r' && (tty.termios.iflag & IGNCR) != 0)
        return;
    if (c == '\r' && (tty.termios.iflag & ICRNL) != 0)
        c = '\n';
    else if (c == '\n' && (tty.termios.iflag & INLCR) != 0)
        c = '\r';
    if ((tty.termios.lflag & ICANON) != 0) {
        edit(c);
    } else {
        echo(c);
        put(c);
        finish_line();
    }
}

void tty_input(const uint8_t *bytes, size_t length, bool ended)
{
    mutex_lock(&tty.lock);
    for (size_t i = 0; i < length; i++)
        input_one(bytes[i]);
    if (ended) {
        tty.ended = true;
        finish_line();
    }
    mutex_unlock(&tty.lock);
    event_signal(&tty.event);
    event_signal(&poll_event);
}

/* ---- reading --------------------------------------------------------------------------------------- */

/* => tty.lock held, and held again afterwards. */
static int wait_for_input(uint64_t deadline)
{
    uint32_t seen = event_read(&tty.event);
    mutex_unlock(&tty.lock);
    int error = event_wait(&tty.event, seen, deadline, WAIT_INTERRUPTIBLE);
    mutex_lock(&tty.lock);
    return error == -EINTR ? -ERESTARTSYS : error;
}

/* => tty.lock held. Only the foreground may read. */
static int check_foreground(void)
{
    const struct process *process = process_current();
    if (process->group == foreground())
        return 0;
    (void)process_signal_group(process->group, SIGTTIN);
    return signal_pending() ? -ERESTARTSYS : -EIO;
}

/* => tty.lock held. Waits until there is something to read: VMIN and VTIME as far as programs go, which
 * ask for one character at least, or for none, with or without a time. */
static int wait_readable(bool nonblocking)
{
    bool canonical = (tty.termios.lflag & ICANON) != 0;
    bool wants_none = !canonical && tty.termios.cc[VMIN] == 0;
    uint64_t deadline = VM_NO_DEADLINE;
    int error = check_foreground();
    if (wants_none)
        deadline = host_time_ns() + tty.termios.cc[VTIME] * (NS_PER_SECOND / 10);
    while (error == 0 && tty.length == tty.editing && !tty.ended) {
        if (nonblocking)
            return -EAGAIN;
        error = wait_for_input(deadline);
    }
    return error == -ETIMEDOUT ? 0 : error;
}

/* => tty.lock held. Takes one line, or what there is; *size is how much fits. */
static size_t take_some(uint8_t *to, size_t size)
{
    bool canonical = (tty.termios.lflag & ICANON) != 0;
    size_t done = 0;
    while (done < size && tty.length > tty.editing) {
        uint16_t c = take();
        if (c == END_OF_FILE) {
            if (canonical)
                break;
            c = tty.termios.cc[VEOF];
        }
        to[done++] = (uint8_t)c;
        if (canonical && c == '\n')
            break;
    }
    return done;
}

int64_t tty_read(struct file *file, void *buffer, size_t length, bool user)
{
    uint8_t line[512];
    size_t size = length < sizeof(line) ? length : sizeof(line);
    mutex_lock(&tty.lock);
    int64_t result = wait_readable((file_flags(file) & O_NONBLOCK) != 0);
    if (result == 0)
        result = (int64_t)take_some(line, size);
    mutex_unlock(&tty.lock);
    if (result > 0 && copy_out(buffer, line, (size_t)result, user) != 0)
        return -EFAULT;
    return result;
}

bool tty_readable(void)
{
    mutex_lock(&tty.lock);
    bool readable = tty.length > tty.editing || tty.ended;
    mutex_unlock(&tty.lock);
    return readable;
}

/* ---- settings -------------------------------------------------------------------------------------- */

static int64_t set_termios(addr_t argument, bool flush)
{
    struct linux_termios termios;
    if (copy_from_user(&termios, (void *)argument, sizeof(termios)) != 0)
        return -EFAULT;
    mutex_lock(&tty.lock);
    tty.termios = termios;
    if (flush)
        tty.length = tty.editing = 0;
    if ((termios.lflag & ICANON) == 0)
        finish_line();
    mutex_unlock(&tty.lock);
    event_signal(&tty.event);
    return 0;
}

static int64_t get_termios(addr_t argument)
{
    mutex_lock(&tty.lock);
    struct linux_termios termios = tty.termios;
    mutex_unlock(&tty.lock);
    return copy_to_user((void *)argument, &termios, sizeof(termios));
}

static int64_t get_window(addr_t argument)
{
    mutex_lock(&tty.lock);
    if (!tty.window_set) {
        tty.window.rows = (uint16_t)console_rows;
        tty.window.columns = (uint16_t)console_columns;
    }
    struct window_size window = tty.window;
    mutex_unlock(&tty.lock);
    return copy_to_user((void *)argument, &window, sizeof(window));
}

static int64_t set_window(addr_t argument)
{
    struct window_size window;
    if (copy_from_user(&window, (void *)argument, sizeof(window)) != 0)
        return -EFAULT;
    mutex_lock(&tty.lock);
    tty.window = window;
    tty.window_set = true;
    int32_t group = foreground();
    mutex_unlock(&tty.lock);
    (void)process_signal_group(group, SIGWINCH);
    return 0;
}

static int64_t set_foreground(addr_t argument)
{
    int32_t group;
    if (copy_from_user(&group, (void *)argument, sizeof(group)) != 0)
        return -EFAULT;
    if (group <= 0)
        return -EINVAL;
    mutex_lock(&tty.lock);
    tty.foreground = group;
    mutex_unlock(&tty.lock);
    return 0;
}

static int64_t flush_input(void)
{
    mutex_lock(&tty.lock);
    tty.length = tty.editing = 0;
    mutex_unlock(&tty.lock);
    return 0;
}

static int64_t put_number(addr_t argument, int32_t number)
{
    return copy_to_user((void *)argument, &number, sizeof(number));
}

int64_t tty_ioctl(unsigned request, addr_t argument)
{
    switch (request) {
    case TCGETS:
        return get_termios(argument);
    case TCSETS:
    case TCSETSW:
        return set_termios(argument, false);
    case TCSETSF:
        return set_termios(argument, true);
    case TIOCGWINSZ:
        return get_window(argument);
    case TIOCSWINSZ:
        return set_window(argument);
    case TIOCGPGRP:
        return put_number(argument, foreground());
    case TIOCSPGRP:
        return set_foreground(argument);
    case TIOCGSID:
        return put_number(argument, process_current()->session);
    case FIONREAD:
        return put_number(argument, (int32_t)(tty.length - tty.editing));
    case TCFLSH:
        return flush_input();
    case TCSBRK:
    case TCXONC:
    case TIOCSCTTY:
    case TIOCNOTTY:
        return 0;
    default:
        return -ENOTTY;
    }
}
