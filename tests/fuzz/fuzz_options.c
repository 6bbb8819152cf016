/* SPDX-License-Identifier: MIT */
/* The quire command's options: the bytes are arguments, each ended by a NUL. */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fuzz.h"
#include "options.h"

#define MAX_ARGUMENTS 40

static char message[4096];

/* Instead of printing. */
int fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return status;
}

int fail_no_memory(void)
{
    return fail(STATUS_ERROR, "no memory");
}

/* Splits the text, which ends with a NUL, into arguments behind "boot". */
static int split(char *text, size_t size, char **argv)
{
    static char command[] = "boot";
    int count = 0;
    argv[count++] = command;
    for (size_t at = 0; at < size && count < MAX_ARGUMENTS; at += strlen(text + at) + 1)
        argv[count++] = text + at;
    argv[count] = NULL;
    return count;
}

static bool is_argument(const char *text, char **argv)
{
    while (*argv != NULL)
        if (*argv++ == text)
            return true;
    return false;
}

static void check_lists(const struct boot_options *options, char **argv)
{
    for (size_t i = 0; i < options->files.count; i++)
        EXPECT(options->files.items[i][0] != '\0');
    for (size_t i = 0; i < options->disks.count; i++)
        EXPECT(options->disks.items[i][0] != '\0');
    EXPECT(options->swap_count <= MAX_SWAPS);
    for (size_t i = 0; i < options->swap_count; i++)
        EXPECT(options->swaps[i] > 0 && options->swaps[i] % 4096 == 0);
    for (size_t i = 0; i < options->debug.count; i++)
        EXPECT(options->debug.items[i][0] != '\0');
    EXPECT(options->program == NULL || is_argument(options->program, argv));
    EXPECT((options->program == NULL) == (options->arguments == NULL));
}

static void check_good(const struct boot_options *options, char **argv)
{
    EXPECT(options->memory >= (uint64_t)4 << 20 && options->memory <= (uint64_t)64 << 30);
    EXPECT(options->memory % 4096 == 0);
    EXPECT(options->cpus >= 1 && options->cpus <= 64);
    EXPECT(options->timeout <= 1000000);
    EXPECT(options->program == NULL || options->program[0] != '\0');
    check_lists(options, argv);
}

/* What is refused is named: the message begins with an option, not with the command. */
static void check_refused(int status)
{
    EXPECT(status == STATUS_ERROR || status == STATUS_NOT_FOUND);
    EXPECT(message[0] == '-' || status == STATUS_NOT_FOUND);
}

static void check_size(const char *text)
{
    uint64_t size, digits = 0;
    size_t length = strspn(text, "0123456789");
    bool good = parse_size(text, &size);
    if (length == 0 || length > 18) {
        EXPECT(!good || length > 0);
        return;
    }
    for (size_t i = 0; i < length; i++)
        digits = digits * 10 + (uint64_t)(text[i] - '0');
    static const char units[] = "\0kKmMgG";
    const char *unit = memchr(units, text[length], sizeof(units) - 1);
    unsigned shift = unit == NULL || unit == units ? 0 : (unsigned)(unit - units + 1) / 2 * 10;
    bool ends = unit != NULL && (unit == units || text[length + 1] == '\0');
    EXPECT(good == (ends && digits <= UINT64_MAX >> shift));
    if (good)
        EXPECT(size == digits << shift);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[MAX_ARGUMENTS + 1], *text = malloc(size + 1);
    struct boot_options options;
    EXPECT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    check_size(text);
    int argc = split(text, size, argv);
    optind = 0; /* getopt begins anew */
    message[0] = '\0';
    int status = options_parse(&options, argc, argv);
    if (status == 0)
        check_good(&options, argv);
    else
        check_refused(status);
    options_free(&options);
    free(text);
    return 0;
}
