/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define MIN_MEMORY ((uint64_t)4 << 20)
#define MAX_MEMORY ((uint64_t)64 << 30)
#define MAX_SWAP ((uint64_t)256 << 30)
#define MAX_CPUS 64
#define MAX_TIMEOUT 1000000

enum {
    OPTION_MEMORY = 256,
    OPTION_CPUS,
    OPTION_FILE,
    OPTION_DISK,
    OPTION_SWAP,
    OPTION_DEBUG,
    OPTION_ICOUNT,
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_STATS,
    OPTION_KERNEL,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"memory", required_argument, NULL, OPTION_MEMORY},
    {"cpus", required_argument, NULL, OPTION_CPUS},
    {"file", required_argument, NULL, OPTION_FILE},
    {"disk", required_argument, NULL, OPTION_DISK},
    {"swap", required_argument, NULL, OPTION_SWAP},
    {"debug", required_argument, NULL, OPTION_DEBUG},
    {"icount", no_argument, NULL, OPTION_ICOUNT},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"json", required_argument, NULL, OPTION_JSON},
    {"stats", no_argument, NULL, OPTION_STATS},
    {"kernel", required_argument, NULL, OPTION_KERNEL},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

bool parse_size(const char *text, uint64_t *size)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    unsigned shift = 0;
    switch (toupper((unsigned char)*end)) {
    case 'K':
        shift = 10;
        break;
    case 'M':
        shift = 20;
        break;
    case 'G':
        shift = 30;
        break;
    }
    if (errno != 0 || (shift != 0 ? end[1] : end[0]) != '\0' || value > UINT64_MAX >> shift)
        return false;
    *size = (uint64_t)value << shift;
    return true;
}

static bool parse_count(const char *text, unsigned max, unsigned *count)
{
    uint64_t value;
    if (!isdigit((unsigned char)text[strlen(text) - (text[0] != '\0')]) ||
        !parse_size(text, &value) || value < 1 || value > max)
        return false;
    *count = (unsigned)value;
    return true;
}

static int append(struct string_list *list, const char *item)
{
    const char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (items == NULL)
        return fail_no_memory();
    list->items = items;
    items[list->count++] = item;
    return 0;
}

static int set_memory(struct boot_options *options, const char *text)
{
    if (!parse_size(text, &options->memory))
        return fail(STATUS_ERROR, "--memory %s: not a size; write 64M, 1G or 65536K", text);
    if (options->memory < MIN_MEMORY)
        return fail(STATUS_ERROR, "--memory %s: too little to boot; give at least 5M, 64M is usual",
                    text);
    if (options->memory > MAX_MEMORY)
        return fail(STATUS_ERROR, "--memory %s: more than 64G", text);
    if (options->memory % 4096 != 0)
        return fail(STATUS_ERROR, "--memory %s: not a multiple of 4K", text);
    return 0;
}

static int set_file(struct boot_options *options, const char *text)
{
    if (text[0] == '\0')
        return fail(STATUS_ERROR, "--file: the name is empty; write --file HOST or HOST:GUEST");
    return append(&options->files, text);
}

static int add_disk(struct boot_options *options, const char *text)
{
    if (text[0] == '\0')
        return fail(STATUS_ERROR,
                    "--disk: the name is empty; write --disk FILE, FILE:GUEST or FILE:GUEST:ro");
    return append(&options->disks, text);
}

static int add_swap(struct boot_options *options, const char *text)
{
    uint64_t size;
    if (!parse_size(text, &size))
        return fail(STATUS_ERROR, "--swap %s: not a size; write 256M, 1G or 65536K", text);
    if (size == 0)
        return fail(STATUS_ERROR, "--swap %s: no room for any page; without swap, leave it out",
                    text);
    if (size % 4096 != 0)
        return fail(STATUS_ERROR, "--swap %s: not a multiple of 4K", text);
    if (size > MAX_SWAP)
        return fail(STATUS_ERROR, "--swap %s: more than 256G", text);
    if (options->swap_count == MAX_SWAPS)
        return fail(STATUS_ERROR, "--swap %s: one too many; %d at most", text, MAX_SWAPS);
    options->swaps[options->swap_count++] = size;
    return 0;
}

static int set_option(struct boot_options *options, int option, const char *value)
{
    switch (option) {
    case OPTION_MEMORY:
        return set_memory(options, value);
    case OPTION_CPUS:
        if (!parse_count(value, MAX_CPUS, &options->cpus))
            return fail(STATUS_ERROR, "--cpus %s: not a number from 1 to %d", value, MAX_CPUS);
        return 0;
    case OPTION_FILE:
        return set_file(options, value);
    case OPTION_DISK:
        return add_disk(options, value);
    case OPTION_SWAP:
        return add_swap(options, value);
    case OPTION_DEBUG:
        if (value[0] == '\0')
            return fail(STATUS_ERROR, "--debug: the command is empty; --debug help lists them");
        return append(&options->debug, value);
    case OPTION_ICOUNT:
        options->icount = true;
        return 0;
    case OPTION_TIMEOUT:
        if (!parse_count(value, MAX_TIMEOUT, &options->timeout))
            return fail(STATUS_ERROR, "--timeout %s: not a number of seconds from 1 on", value);
        return 0;
    case OPTION_JSON:
        options->json = value;
        return 0;
    case OPTION_STATS:
        options->stats = true;
        return 0;
    case OPTION_KERNEL:
        options->kernel = value;
        return 0;
    case OPTION_HELP:
        options->help = true;
        return 0;
    }
    return STATUS_ERROR;
}

/* For a letter, argv[optind - 1] may be what comes before it: more letters may follow. */
static int refuse(int result, const char *argument)
{
    if (result == ':')
        return fail(STATUS_ERROR, "%s needs a value; see quire help boot", argument);
    if (optopt >= OPTION_MEMORY)
        return fail(STATUS_ERROR, "%s: this option takes no value", argument);
    if (optopt != 0)
        return fail(STATUS_ERROR, "-%c: no such option; see quire help boot", optopt);
    return fail(STATUS_ERROR, "%s: no such option; see quire help boot", argument);
}

int options_parse(struct boot_options *options, int argc, char **argv)
{
    *options = (struct boot_options){.memory = (uint64_t)64 << 20, .cpus = 1};
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1) {
        if (option == ':' || option == '?')
            return refuse(option, argv[optind - 1]);
        int status = set_option(options, option == 'h' ? OPTION_HELP : option, optarg);
        if (status != 0)
            return status;
    }
    if (optind < argc) {
        options->program = argv[optind];
        options->arguments = argv + optind + 1;
        if (options->program[0] == '\0')
            return fail(STATUS_NOT_FOUND, "the program's name is empty");
    }
    return 0;
}

void options_free(struct boot_options *options)
{
    free(options->files.items);
    free(options->disks.items);
    free(options->debug.items);
}
