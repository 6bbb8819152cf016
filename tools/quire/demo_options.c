/* SPDX-License-Identifier: MIT */
#include "demo.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "options.h"

#define MIB ((uint64_t)1 << 20)
#define MAX_SIZE ((uint64_t)1 << 40)
/* Of memory for each run that is merged: what is read at once, and a page that goes. */
#define MERGE_BYTES ((uint64_t)16 << 10)

enum { OPTION_SIZE = 256, OPTION_BUDGET, OPTION_STORE, OPTION_SEED, OPTION_JSON, OPTION_HELP };

static const struct option long_options[] = {
    {"size", required_argument, NULL, OPTION_SIZE},
    {"budget", required_argument, NULL, OPTION_BUDGET},
    {"store", required_argument, NULL, OPTION_STORE},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int set_size(const char *option, const char *text, size_t *size)
{
    uint64_t value;
    if (!parse_size(text, &value))
        return fail(STATUS_ERROR, "--%s %s: not a size; write 128M, 1G or 65536K", option, text);
    if (value < MIB)
        return fail(STATUS_ERROR, "--%s %s: too little; give at least 1M", option, text);
    if (value > MAX_SIZE)
        return fail(STATUS_ERROR, "--%s %s: more than 1024G", option, text);
    if (value % (2 * VM_PAGE_SIZE) != 0)
        return fail(STATUS_ERROR, "--%s %s: not a multiple of 8K", option, text);
    *size = (size_t)value;
    return 0;
}

/* Of more frames than there is memory the tables alone may be more than there is. */
static int set_budget(const char *text, size_t *budget)
{
    size_t memory = demo_proc_bytes("/proc/meminfo", "MemTotal");
    int status = set_size("budget", text, budget);
    if (status != 0 || memory == 0 || *budget <= memory)
        return status;
    return fail(STATUS_ERROR,
                "--budget %s: more than the %zuM of memory that this machine has; give less, "
                "128M is usual",
                text, memory >> 20);
}

static int set_store(struct demo_options *options, const char *text)
{
    static const char *const names[] = {"zstd", "lz4", "memory"};
    static const enum demo_store_kind kinds[] = {DEMO_ZSTD, DEMO_LZ4, DEMO_MEMORY};
    options->store = text;
    if (strcmp(text, "file:") == 0 || strcmp(text, "file") == 0)
        return fail(STATUS_ERROR, "--store %s: no path; write file:PATH, a file to be made", text);
    if (strncmp(text, "file:", 5) == 0) {
        options->kind = DEMO_FILE;
        options->path = text + 5;
        return 0;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            options->kind = kinds[i];
            return 0;
        }
    return fail(STATUS_ERROR, "--store %s: no such store; write file:PATH, zstd, lz4 or memory",
                text);
}

static int set_seed(const char *text, uint64_t *seed)
{
    char *end;
    errno = 0;
    *seed = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || errno != 0 || *end != '\0')
        return fail(STATUS_ERROR, "--seed %s: not a number from 0 to %llu", text,
                    (unsigned long long)UINT64_MAX);
    return 0;
}

static int set_option(struct demo_options *options, int option, const char *value)
{
    switch (option) {
    case OPTION_SIZE:
        return set_size("size", value, &options->size);
    case OPTION_BUDGET:
        return set_budget(value, &options->budget);
    case OPTION_STORE:
        return set_store(options, value);
    case OPTION_SEED:
        return set_seed(value, &options->seed);
    case OPTION_JSON:
        options->json = true;
        return 0;
    default:
        options->help = true;
        return 0;
    }
}

size_t demo_run_bytes(const struct demo_options *options)
{
    return options->budget / 4 & ~(size_t)VM_PAGE_MASK;
}

static bool can_merge(const struct demo_options *options, size_t budget)
{
    struct demo_options other = *options;
    other.budget = budget;
    return options->size / 2 / demo_run_bytes(&other) * MERGE_BYTES <= budget / 2;
}

static int check_together(const struct demo_options *options)
{
    size_t budget = options->budget;
    while (!can_merge(options, budget))
        budget += MIB;
    if (budget == options->budget)
        return 0;
    return fail(STATUS_ERROR,
                "a budget of %zuK is too little to sort %zuM: it has no room to merge %zu "
                "runs at once; give --budget %zuM",
                options->budget >> 10, options->size >> 20,
                options->size / 2 / demo_run_bytes(options), (budget + MIB - 1) / MIB);
}

static int parse(struct demo_options *options, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1) {
        if (option == ':')
            return fail(STATUS_ERROR, "%s needs a value; see quire help demo", argv[optind - 1]);
        if (option == '?' && optopt >= OPTION_SIZE)
            return fail(STATUS_ERROR, "%s: this option takes no value", argv[optind - 1]);
        if (option == '?')
            return fail(STATUS_ERROR, "%s: no such option; see quire help demo", argv[optind - 1]);
        int status = set_option(options, option == 'h' ? OPTION_HELP : option, optarg);
        if (status != 0)
            return status;
    }
    if (optind < argc)
        return fail(STATUS_ERROR, "%s: one word too many; see quire help demo", argv[optind]);
    return options->help ? 0 : check_together(options);
}

int demo_options_parse(struct demo_options *options, int argc, char **argv)
{
    *options = (struct demo_options){.size = (size_t)1 << 30,
                                     .budget = (size_t)128 << 20,
                                     .kind = DEMO_LZ4,
                                     .store = "lz4",
                                     .seed = 1};
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0) {
        options->help = true;
        return 0;
    }
    if (strcmp(what, "sort") != 0)
        return fail(STATUS_ERROR, "demo%s%s: there is quire demo sort; see quire help demo",
                    *what ? " " : "", what);
    return parse(options, argc - 1, argv + 1);
}
