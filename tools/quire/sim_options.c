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

#define DEFAULT_SECONDS 10
#define MAX_FAIL_N 1000000

enum {
    OPTION_SEED = 256,
    OPTION_OPS,
    OPTION_CPUS,
    OPTION_FAIL,
    OPTION_SCHEDULE,
    OPTION_SCENARIO,
    OPTION_SECONDS,
    OPTION_JOBS,
    OPTION_CHECK,
    OPTION_REPLAY,
    OPTION_SAVE,
    OPTION_JSON,
    OPTION_LINUX,
    OPTION_CRASH,
    OPTION_PRESSURE,
    OPTION_SWAP_STORE,
    OPTION_LIST,
    OPTION_QUIET,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"seed", required_argument, NULL, OPTION_SEED},
    {"ops", required_argument, NULL, OPTION_OPS},
    {"cpus", required_argument, NULL, OPTION_CPUS},
    {"fail", required_argument, NULL, OPTION_FAIL},
    {"schedule", required_argument, NULL, OPTION_SCHEDULE},
    {"scenario", required_argument, NULL, OPTION_SCENARIO},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"check", required_argument, NULL, OPTION_CHECK},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"save", required_argument, NULL, OPTION_SAVE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"linux", no_argument, NULL, OPTION_LINUX},
    {"crash", no_argument, NULL, OPTION_CRASH},
    {"pressure", no_argument, NULL, OPTION_PRESSURE},
    {"swap-store", required_argument, NULL, OPTION_SWAP_STORE},
    {"list", no_argument, NULL, OPTION_LIST},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

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
    case OPTION_LINUX:
        plan->schedules = false;
        plan->way.on_linux = true;
        plan->way.check_every = LINUX_CHECK_EVERY;
        return 0;
    case OPTION_CRASH:
        return set_other(plan, RECORD_CRASH);
    case OPTION_PRESSURE:
        return set_other(plan, RECORD_PRESSURE);
    case OPTION_SEED:
        return set_number("seed", value, 0, UINT64_MAX / 2, &plan->seed);
    case OPTION_OPS:
        plan->schedules = false;
        return set_number("ops", value, 1, UINT64_MAX, &plan->operations);
    case OPTION_CPUS:
        return set_unsigned("cpus", value, 1, TRACE_CPUS, &plan->way.cpus);
    case OPTION_FAIL:
        return set_failure(&plan->way, value);
    case OPTION_SCHEDULE:
        return set_schedule(plan, value);
    case OPTION_SCENARIO:
        return set_scenario(plan, value);
    case OPTION_SECONDS:
        return set_unsigned("seconds", value, 1, 10000000, &plan->seconds);
    case OPTION_JOBS:
        return set_unsigned("jobs", value, 1, CAMPAIGN_JOBS, &plan->jobs);
    default:
        return set_unsigned("check", value, 1, 1000000, &plan->way.check_every);
    }
}

static int set_option(struct sim_options *options, int option, const char *value)
{
    switch (option) {
    case OPTION_REPLAY:
        options->replay = value;
        return 0;
    case OPTION_SAVE:
        options->save = value;
        return 0;
    case OPTION_SWAP_STORE:
        return sim_swap_choose(value);
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_LIST:
        options->list = true;
        return 0;
    case OPTION_QUIET:
        options->quiet = true;
        return 0;
    case OPTION_HELP:
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

static bool is_for_traces(int option)
{
    return option == OPTION_OPS || option == OPTION_LINUX || option == OPTION_CPUS ||
           option == OPTION_FAIL || option == OPTION_CHECK;
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
    opterr = 0;
    const char *for_traces = NULL;
    int option, status;
    while ((option = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1) {
        if (option == ':')
            return fail(STATUS_ERROR, "%s needs a value; see quire help sim", argv[optind - 1]);
        if (option == '?' && optopt >= OPTION_SEED)
            return fail(STATUS_ERROR, "%s: this option takes no value", argv[optind - 1]);
        if (option == '?')
            return fail(STATUS_ERROR, "%s: no such option; see quire help sim", argv[optind - 1]);
        if (is_for_traces(option))
            for_traces = argv[optind - (optarg != NULL && optarg == argv[optind - 1] ? 2 : 1)];
        status = set_option(options, option == 'h' ? OPTION_HELP : option, optarg);
        if (status != 0)
            return status;
    }
    if (optind < argc)
        return fail(STATUS_ERROR, "%s: sim takes options only; see quire help sim", argv[optind]);
    status = check_together(options, for_traces);
    if (status != 0)
        return status;
    if (options->plan.seconds == 0 && options->plan.operations == 0 &&
        options->plan.strategy != CAMPAIGN_EXHAUSTIVE)
        options->plan.seconds = DEFAULT_SECONDS;
    return 0;
}
