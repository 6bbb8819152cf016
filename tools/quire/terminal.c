/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static bool raw;

bool terminal_is_interactive(void)
{
    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
}

void terminal_size(unsigned *rows, unsigned *columns)
{
    struct winsize size = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *rows = size.ws_row != 0 ? size.ws_row : 24;
    *columns = size.ws_col != 0 ? size.ws_col : 80;
}

bool terminal_is_raw(void)
{
    return raw;
}

void terminal_restore(void)
{
    if (!raw)
        return;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    raw = false;
}

void terminal_make_raw(void)
{
    if (raw || tcgetattr(STDIN_FILENO, &saved) != 0)
        return;
    struct termios changed = saved;
    cfmakeraw(&changed);
    atexit(terminal_restore);
    raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &changed) == 0;
}
