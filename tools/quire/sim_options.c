/* SPDX-License-Identifier: MIT */
#include "sim_options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux.h>

#include "error.h"
#include "numbers.h"
#include "sim_swap.h"
#include "sim_words.h"

#define DEFAULT_SECONDS 10
#define MAX_FAIL_N 1000000

/* The classes' names have blanks in them, and are written with dashes here. */
static bool is_class(const char *text, size_t length, enum sim_failure class)
{
    const char *name = sim_failure_name(class);
    for (size_t i = 0; i < length; i++)
        if (name[i] != text[i] && !(name[i] == ' ' && text[i] == '-'))
            return false;
    return name[length] == '\0';
}

static int set_failure(struct trace_way *way, const char *text)
{
    size_t length = strcspn(text, ":");
    const char *rest = text + length;
    way->failing = true;
    for (way->class = 0; way->class < SIM_FAILURES; way->class ++)
        if (is_class(text, length, way->class))
            break;
    if (way->class == SIM_FAILURES && (length != 3 || strncmp(text, "any", 3) != 0))
        return fail(STATUS_ERROR,
                    "--fail %s: no such class; there are any, metadata, frame, table, commitment, "
                    "store-read and store-write",
                    text);
    if (*rest == ':') {
        char *end;
        unsigned long n = strtoul(rest + 1, &end, 10);
        way->n = n <= MAX_FAIL_N ? (unsigned)n : 0;
        rest = end;
        way->forever = strcmp(rest, ":forever") == 0;
        if (way->n == 0 || (*rest != '\0' && !way->forever))
            return fail(STATUS_ERROR, "--fail %s: write CLASS, CLASS:N or CLASS:N:forever", text);
    }
    return 0;
}

static int set_schedule(struct campaign_plan *plan, const char *text)
{
    plan->traces = false;
    if (strcmp(text, "random") == 0)
        plan->strategy = CAMPAIGN_RANDOM;
    else if (strcmp(text, "pct") == 0)
        plan->strategy = CAMPAIGN_PCT;
    else if (strcmp(text, "exhaustive") == 0)
        plan->strategy = CAMPAIGN_EXHAUSTIVE;
    else
        return fail(STATUS_ERROR, "--schedule %s: write random, pct or exhaustive", text);
    return 0;
}

static int set_scenario(struct campaign_plan *plan, const char *text)
{
    plan->traces = false;
    plan->only = scenario_by_name(text);
    return plan->only != NULL
               ? 0
               : fail(STATUS_ERROR, "--scenario %s: there is none of that name; see --list", text);
}

static int set_other(struct campaign_plan *plan, enum record_other other)
{
    if (plan->other != RECORD_NO_OTHER && plan->other != other)
        return fail(STATUS_ERROR, "--crash and --pressure: one at a time");
    plan->other = other;
    return 0;
}

static int set_plan(struct campaign_plan *plan, int option, const char *value)
{
    switch (option) {
    case SIM_LINUX:
        plan->schedules = false;
        plan->way.on_linux = true;
        plan->way.check_every = LINUX_CHECK_EVERY;
        return 0;
    case SIM_CRASH:
        return set_other(plan, RECORD_CRASH);
    case SIM_PRESSURE:
        return set_other(plan, RECORD_PRESSURE);
    case SIM_SEED:
        return set_number("seed", value, 0, UINT64_MAX / 2, &plan->seed);
    case SIM_OPS:
        plan->schedules = false;
        return set_number("ops", value, 1, UINT64_MAX, &plan->operations);
    case SIM_CPUS:
        return set_unsigned("cpus", value, 1, TRACE_CPUS, &plan->way.cpus);
    case SIM_FAIL:
        return set_failure(&plan->way, value);
    case SIM_SCHEDULE:
        return set_schedule(plan, value);
    case SIM_SCENARIO:
        return set_scenario(plan, value);
    case SIM_SECONDS:
        return set_unsigned("seconds", value, 1, 10000000, &plan->seconds);
    case SIM_JOBS:
        return set_unsigned("jobs", value, 1, CAMPAIGN_JOBS, &plan->jobs);
    default:
        return set_unsigned("check", value, 1, 1000000, &plan->way.check_every);
    }
}

static int set_option(struct sim_options *options, int option, const char *value)
{
    switch (option) {
    case SIM_REPLAY:
        options->replay = value;
        return 0;
    case SIM_SAVE:
        options->save = value;
        return 0;
    case SIM_SWAP_STORE:
        return sim_swap_choose(value);
    case SIM_JSON:
        options->json = true;
        return 0;
    case SIM_LIST:
        options->list = true;
        return 0;
    case SIM_QUIET:
        options->quiet = true;
        return 0;
    case SIM_HELP:
        options->help = true;
        return 0;
    default:
        return set_plan(&options->plan, option, value);
    }
}

static unsigned processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > CAMPAIGN_JOBS ? CAMPAIGN_JOBS : (unsigned)count;
}

static bool is_for_traces(enum sim_word option)
{
    return option == SIM_OPS || option == SIM_LINUX || option == SIM_CPUS || option == SIM_FAIL ||
           option == SIM_CHECK;
}

/* Options that contradict each other would run nothing, and find nothing. */
static int check_together(const struct sim_options *options, const char *for_traces)
{
    const struct campaign_plan *plan = &options->plan;
    enum sim_failure class = plan->way.class;
    if (plan->other != RECORD_NO_OTHER && (for_traces != NULL || !plan->traces))
        return fail(STATUS_ERROR, "--%s runs neither traces nor schedules: %s isn't for it",
                    plan->other == RECORD_CRASH ? "crash" : "pressure",
                    for_traces != NULL ? for_traces : "--schedule or --scenario");
    if (!plan->traces && for_traces != NULL)
        return fail(STATUS_ERROR, "%s is for traces, --schedule and --scenario run none",
                    for_traces);
    if (plan->way.failing &&
        (class == SIM_FAIL_THREAD || class == SIM_FAIL_USER_COPY || class == SIM_FAIL_SHORT_READ))
        return fail(STATUS_ERROR,
                    "--fail %s: no operation of a trace asks for that; scenarios do, in every run",
                    sim_failure_name(class));
    if (plan->way.failing && plan->way.on_linux)
        return fail(STATUS_ERROR, "--fail and --linux: nothing fails on request on Linux");
    return 0;
}

int sim_options_parse(struct sim_options *options, int argc, char **argv)
{
    memset(options, 0, sizeof(*options));
    options->plan =
        (struct campaign_plan){.seed = 1, .jobs = processors(), .traces = true, .schedules = true};
    options->plan.way = (struct trace_way){.class = SIM_FAILURES, .check_every = 64};
    const char *for_traces = NULL;
    enum sim_word option;
    int status;
    while ((option = sim_next_word(argc, argv)) != SIM_END) {
        if (option == SIM_WRONG)
            return STATUS_ERROR;
        if (option == SIM_TRACES || option == SIM_MODE)
            return fail(STATUS_ERROR, "%s is for --process", sim_last_word(argv));
        if (is_for_traces(option))
            for_traces = sim_last_word(argv);
        status = set_option(options, option, optarg);
        if (status != 0)
            return status;
    }
    status = check_together(options, for_traces);
    if (status != 0)
        return status;
    if (options->plan.seconds == 0 && options->plan.operations == 0 &&
        options->plan.strategy != CAMPAIGN_EXHAUSTIVE)
        options->plan.seconds = DEFAULT_SECONDS;
    return 0;
}
