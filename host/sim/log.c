/* SPDX-License-Identifier: MIT */
/* The log: a buffer that tests read. With QUIRE_SIM_LOG in the environment it is printed as well. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text;
static size_t used, room;
static bool echo;

void log_start(void)
{
    echo = getenv("QUIRE_SIM_LOG") != NULL;
    sim_log_clear();
}

void log_stop(void)
{
    free(text);
    text = NULL;
    used = room = 0;
}

static bool make_room(size_t length)
{
    size_t needed = used + length + 1;
    if (needed <= room)
        return true;
    size_t size = needed * 2;
    char *larger = realloc(text, size);
    if (larger == NULL)
        return false;
    text = larger;
    room = size;
    return true;
}

void host_log(const char *line, size_t length)
{
    if (echo)
        fwrite(line, 1, length, stderr);
    if (!make_room(length))
        return;
    memcpy(text + used, line, length);
    used += length;
    text[used] = '\0';
}

void log_print(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    host_log(line, strlen(line));
}

const char *sim_log_text(void)
{
    return text != NULL ? text : "";
}

void sim_log_clear(void)
{
    used = 0;
    if (text != NULL)
        text[0] = '\0';
}

_Noreturn void host_panic(const char *reason)
{
    sim_fail("panic: %s", reason);
}
