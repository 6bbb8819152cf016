/* SPDX-License-Identifier: MIT */
/* `quire sim --process`: a program of its own, since it has the core in a Linux process. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <search.h>

#include "digits.h"
#include "error.h"
#include "help.h"
#include "numbers.h"
#include "sim_words.h"

#define STATUS_VIOLATION 1
#define NOT_FOR_THIS (-1) /* an option */
#define DEFAULT_SECONDS 10
#define REPLAY_SECONDS 60

struct options {
    struct search_plan plan;
    const char *replay, *save;
    bool json, quiet, help;
};

/* ---- options ------------------------------------------------------------------------------------ */

static int set_mode(struct search_plan *plan, const char *text)
{
    if (strcmp(text, "signal") == 0)
        plan->mode = QUIRE_MODE_SIGNAL;
    else if (strcmp(text, "handler") == 0)
        plan->mode = QUIRE_MODE_HANDLER;
    else
        return fail(STATUS_ERROR, "--mode %s: write signal or handler", text);
    return 0;
}

static int set_plan(struct search_plan *plan, int option, const char *value)
{
    switch (option) {
    case SIM_SEED:
        return set_number("seed", value, 0, UINT64_MAX / 2, &plan->seed);
    case SIM_TRACES:
        return set_number("traces", value, 1, UINT64_MAX, &plan->traces);
    case SIM_SECONDS:
        return set_unsigned("seconds", value, 1, 10000000, &plan->seconds);
    case SIM_JOBS:
        return set_unsigned("jobs", value, 1, SEARCH_JOBS, &plan->jobs);
    case SIM_MODE:
        return set_mode(plan, value);
    case SIM_PROCESS:
        return 0;
    default:
        return NOT_FOR_THIS;
    }
}

static int set_option(struct options *options, int option, const char *value)
{
    switch (option) {
    case SIM_REPLAY:
        options->replay = value;
        return 0;
    case SIM_SAVE:
        options->save = value;
        return 0;
    case SIM_JSON:
        options->json = true;
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
    return count < 1 ? 1 : count > SEARCH_JOBS ? SEARCH_JOBS : (unsigned)count;
}

static int parse(struct options *options, int argc, char **argv)
{
    enum sim_word option;
    int status = 0;
    *options = (struct options){.plan = {.seed = 1, .jobs = processors()}};
    while (status == 0 && (option = sim_next_word(argc, argv)) != SIM_END)
        status = option == SIM_WRONG ? STATUS_ERROR : set_option(options, option, optarg);
    if (status == NOT_FOR_THIS)
        return fail(STATUS_ERROR, "%s isn't for --process; see quire help sim",
                    sim_last_word(argv));
    if (options->plan.seconds == 0 && options->plan.traces == 0)
        options->plan.seconds = DEFAULT_SECONDS;
    return status;
}

/* Without the rights for messages, each trace is by signals. */
static int look_at_modes(struct search_plan *plan)
{
    struct quire_options options = {.budget = 1 << 20, .mode = QUIRE_MODE_HANDLER};
    if (plan->mode != QUIRE_MODE_SIGNAL) {
        if (quire_start(&options) == VM_OK)
            return quire_stop() == VM_OK ? 0 : fail(STATUS_ERROR, "Quire can't be stopped");
        if (plan->mode == QUIRE_MODE_HANDLER)
            return fail(STATUS_ERROR, "--mode handler: %s", quire_why());
    }
    plan->mode = QUIRE_MODE_SIGNAL;
    options.mode = QUIRE_MODE_SIGNAL;
    if (quire_start(&options) != VM_OK)
        return fail(STATUS_ERROR, "--process: %s", quire_why());
    return quire_stop() == VM_OK ? 0 : fail(STATUS_ERROR, "Quire can't be stopped");
}

/* ---- a failure ---------------------------------------------------------------------------------- */

static int replay(const char *path)
{
    static struct trace trace;
    struct outcome result;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return fail(STATUS_ERROR, "--replay %s: %s", path, strerror(errno));
    unsigned line = trace_load(&trace, file);
    fclose(file);
    if (line != 0)
        return fail(STATUS_ERROR, "--replay %s, line %u: not of a trace of --process", path, line);
    bool good = trace_run(&trace, REPLAY_SECONDS, &result);
    if (good)
        printf("%s: nothing is wrong\n", path);
    else
        printf("%s: operation %zu: %s\n", path, result.at + 1, result.text);
    return good ? 0 : STATUS_VIOLATION;
}

static void save(const struct options *options, const struct search_result *result, FILE *out)
{
    char name[64];
    snprintf(name, sizeof(name), "quire-process-%lu.trace", (unsigned long)result->trace.way.seed);
    const char *path = options->save != NULL ? options->save : name;
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fail(STATUS_ERROR,
             "the failure can't be saved in %s: %s; this is what it would have in it:", path,
             strerror(errno));
        trace_print(&result->trace, stderr);
        return;
    }
    fprintf(file, "# %s\n", result->sums.text);
    trace_print(&result->trace, file);
    if (fclose(file) != 0)
        fail(STATUS_ERROR, "%s: %s", path, strerror(errno));
    fprintf(out, "  run it again:  %s sim --process --replay %s\n", "quire", path);
}

static void say_failure(const struct options *options, struct search_result *result)
{
    FILE *out = options->json ? stderr : stdout;
    struct outcome last = {.text = ""};
    size_t before = result->trace.count;
    trace_shorten(&result->trace, &last);
    bool again = last.text[0] != '\0';
    if (again)
        memcpy(result->sums.text, last.text, sizeof(last.text));
    fprintf(out, "VIOLATION in the trace of seed %lu: %s\n", (unsigned long)result->trace.way.seed,
            result->sums.text);
    if (!again)
        fprintf(out, "  at operation %zu, and not each time\n", result->sums.at + 1);
    fprintf(out, "  made short: %zu of %zu operations\n", result->trace.count, before);
    save(options, result, out);
}

/* ---- figures ------------------------------------------------------------------------------------ */

static void show_progress(const struct outcome *sums, uint64_t traces, unsigned seconds)
{
    fprintf(stderr, "\r\033[K%6u s  %s operations of %s traces  %s faults", seconds,
            grouped(sums->operations), grouped(traces), grouped(sums->faults));
}

static void line(const char *name, uint64_t value, const char *rest)
{
    printf("  %-30s %14s%s%s\n", name, grouped(value), rest[0] != '\0' ? "  " : "", rest);
}

static void show(const struct options *options, const struct search_result *result)
{
    const struct outcome *s = &result->sums;
    char rest[80];
    snprintf(rest, sizeof(rest), "of %s traces", grouped(result->traces));
    line("operations", s->operations, rest);
    line("  by Linux", s->system_calls, "read, write and process_vm_readv");
    line("  page faults", s->faults, "");
    line("  pages evicted", s->evicted, "");
    line("  bytes looked at", s->verified, "");
    line("  SIGBUS and SIGSEGV", s->signals, "where they must be, or may");
    line("  stores told to fail", s->failures, "");
    line("  no memory for structures", s->refused, "");
    line("violations", result->failed, "");
    snprintf(rest, sizeof(rest), "%.0f seconds, %u process%s", result->seconds, options->plan.jobs,
             options->plan.jobs == 1 ? "" : "es");
    line("seed", options->plan.seed, rest);
}

static void show_json(const struct options *options, const struct search_result *result)
{
    const struct outcome *s = &result->sums;
    printf("{\"seed\": %lu, \"seconds\": %.1f, \"processes\": %u, \"traces\": %lu,\n",
           (unsigned long)options->plan.seed, result->seconds, options->plan.jobs,
           (unsigned long)result->traces);
    printf(" \"operations\": %lu, \"system_calls\": %lu, \"faults\": %lu, \"read\": %lu,\n",
           (unsigned long)s->operations, (unsigned long)s->system_calls, (unsigned long)s->faults,
           (unsigned long)s->read);
    printf(" \"written\": %lu, \"evicted\": %lu, \"verified\": %lu, \"signals\": %lu,\n",
           (unsigned long)s->written, (unsigned long)s->evicted, (unsigned long)s->verified,
           (unsigned long)s->signals);
    printf(" \"failures\": %lu, \"refused\": %lu, \"handler\": %s, \"violations\": %d}\n",
           (unsigned long)s->failures, (unsigned long)s->refused,
           options->plan.mode == QUIRE_MODE_SIGNAL ? "false" : "true", result->failed);
}

/* ---- all ---------------------------------------------------------------------------------------- */

static int search(struct options *options)
{
    static struct search_result result;
    int status = look_at_modes(&options->plan);
    if (status != 0)
        return status;
    bool shows = !options->quiet && isatty(STDERR_FILENO);
    options->plan.progress = shows ? show_progress : NULL;
    if (!search_run(&options->plan, &result))
        return fail(STATUS_ERROR, "no process for the work: %s", strerror(errno));
    if (shows)
        fputs("\r\033[K", stderr);
    if (result.failed)
        say_failure(options, &result);
    (options->json ? show_json : show)(options, &result);
    return result.failed ? STATUS_VIOLATION : 0;
}

int main(int argc, char **argv)
{
    struct options options;
    int status = parse(&options, argc - 1, argv + 1); /* argv[1] is `sim` */
    if (status == 0 && options.help)
        fputs(help_sim, stdout);
    else if (status == 0)
        status = options.replay != NULL ? replay(options.replay) : search(&options);
    return end_output(status);
}
