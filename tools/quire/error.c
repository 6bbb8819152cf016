/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("quire: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

int fail_no_memory(void)
{
    return fail(STATUS_ERROR, "the host has no memory left for this");
}

int end_output(int status)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0)
        return fail(STATUS_ERROR, "standard output: %s", strerror(errno));
    return status;
}
