/* SPDX-License-Identifier: MIT */
#include "numbers.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "error.h"

static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)text[0]))
        return false;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *number >= least && *number <= most;
}

int set_number(const char *option, const char *text, uint64_t least, uint64_t most,
               uint64_t *number)
{
    if (parse_number(text, least, most, number))
        return 0;
    return fail(STATUS_ERROR, "--%s %s: not a number from %llu to %llu", option, text,
                (unsigned long long)least, (unsigned long long)most);
}

int set_unsigned(const char *option, const char *text, unsigned least, unsigned most,
                 unsigned *number)
{
    uint64_t value = 0;
    int status = set_number(option, text, least, most, &value);
    if (status == 0)
        *number = (unsigned)value;
    return status;
}
