/* SPDX-License-Identifier: MIT */
#include "sim.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <explore.h>
#include <shrink.h>

#include "error.h"
#include "help.h"
#include "sim_options.h"
#include "sim_report.h"

#define STATUS_VIOLATION 1
#define REPLAY_SECONDS 600

static int show_list(void)
{
    for (size_t i = 0; i < scenario_count; i++)
        printf("%-36s %s\n", scenarios[i]->name, scenarios[i]->text);
    return 0;
}

/* ---- replay ------------------------------------------------------------------------------------- */

static int replay(const char *path)
{
    static struct record record;
    const char *problem;
    unsigned line;
    char text[1024];
    if (!record_load(path, &record, &problem, &line)) {
        if (line == 0)
            return fail(STATUS_ERROR, "--replay %s: %s", path, problem);
        return fail(STATUS_ERROR, "--replay %s, line %u: %s", path, line, problem);
    }
    bool good = record_run(&record, REPLAY_SECONDS, text, sizeof(text));
    if (good)
        printf("%s: nothing is wrong\n", path);
    else
        printf("%s: %s\n", path, text);
    record_free(&record);
    return good ? 0 : STATUS_VIOLATION;
}

/* ---- a failure ---------------------------------------------------------------------------------- */

static void say_left(size_t left)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[Kmaking it short: %zu operations left", left);
}

static void shrink_trace(struct campaign_result *result, FILE *out)
{
    struct trace_outcome outcome = {.failed = false};
    size_t before = result->record.trace.count;
    trace_shrink(&result->record.trace, &result->record.way, &outcome, say_left);
    sim_report_end_progress();
    if (outcome.failed)
        snprintf(result->text, sizeof(result->text), "%s", outcome.text);
    fprintf(out, "  made short: %zu of %zu operations\n", result->record.trace.count, before);
}

/* Takes decisions out as long as the run still fails. Each try is a process of its own. */
static void shrink_schedule(struct campaign_result *result, FILE *out)
{
    static struct record shorter;
    struct record *record = &result->record;
    char text[1024];
    unsigned before = record->schedule.decision_count;
    if (record_run(record, REPLAY_SECONDS, text, sizeof(text)))
        return;
    before = record->schedule.decision_count;
    record->schedule.kind = SCHEDULE_CHOSEN;
    for (unsigned i = record->schedule.decision_count; i-- > 0;) {
        shorter = *record;
        struct schedule *s = &shorter.schedule;
        memmove(&s->decisions[i], &s->decisions[i + 1],
                (s->decision_count - i - 1) * sizeof(s->decisions[0]));
        s->decision_count--;
        if (record_run(&shorter, REPLAY_SECONDS, text, sizeof(text)))
            continue;
        *record = shorter;
        snprintf(result->text, sizeof(result->text), "%s", text);
    }
    fprintf(out, "  made short: %u of %u changes of turn\n", record->schedule.decision_count,
            before);
}

/* A name as a shell takes it. */
static void print_quoted(FILE *out, const char *name)
{
    bool plain = name[strcspn(name, " \t\n'\"\\$`*?[]{}()<>|&;#~!")] == '\0';
    fputs(plain ? "" : "'", out);
    for (; *name != '\0'; name++)
        if (*name == '\'')
            fputs("'\\''", out);
        else
            fputc(*name, out);
    fputs(plain ? "" : "'", out);
}

/* A name that no file has: an older failure isn't lost for a newer one of the same seed. */
static void choose_name(char *path, size_t room, uint64_t seed)
{
    snprintf(path, room, "quire-sim-%lu.trace", (unsigned long)seed);
    for (unsigned i = 2; access(path, F_OK) == 0 && i < 1000; i++)
        snprintf(path, room, "quire-sim-%lu-%u.trace", (unsigned long)seed, i);
}

static void save_failure(const struct sim_options *options, const struct campaign_result *result,
                         FILE *out)
{
    char path[64];
    choose_name(path, sizeof(path), options->plan.seed);
    const char *save = options->save != NULL ? options->save : path;
    if (!record_save(save, &result->record, result->text)) {
        fail(STATUS_ERROR,
             "the failure can't be saved in %s: %s; this is what it would have in it:", save,
             strerror(errno));
        record_print(stderr, &result->record, result->text);
        return;
    }
    fputs("  run it again:  ", out);
    print_quoted(out, program_invocation_name);
    fputs(" sim --replay ", out);
    print_quoted(out, save);
    fputc('\n', out);
}

static void say_failure(const struct sim_options *options, struct campaign_result *result)
{
    FILE *out = options->json ? stderr : stdout;
    fprintf(out, "VIOLATION%s%s: %s\n", result->record.scenario != NULL ? " in " : "",
            result->record.scenario != NULL ? result->record.scenario->name : "", result->text);
    if (result->record.scenario != NULL)
        shrink_schedule(result, out);
    else if (result->record.other == RECORD_NO_OTHER)
        shrink_trace(result, out);
    fprintf(out, "  what it comes to: %s\n", result->text);
    save_failure(options, result, out);
}

/* ---- all ---------------------------------------------------------------------------------------- */

static int run(const struct sim_options *options)
{
    static struct campaign_result result;
    if (!campaign_run(&options->plan, &result, options->quiet ? NULL : sim_report_progress))
        return fail(STATUS_ERROR, "no process for the work: %s", strerror(errno));
    if (!options->quiet)
        sim_report_end_progress();
    if (result.failed)
        say_failure(options, &result);
    if (options->json)
        sim_report_json(&options->plan, &result);
    else
        sim_report_show(&options->plan, &result);
    record_free(&result.record);
    if (result.signal != 0 && !result.failed)
        return 128 + result.signal;
    return result.failed ? STATUS_VIOLATION : 0;
}

int command_sim(int argc, char **argv)
{
    struct sim_options options;
    int status = sim_options_parse(&options, argc, argv);
    if (status != 0)
        return status;
    if (options.help) {
        fputs(help_sim, stdout);
        return end_output(0);
    }
    if (options.list)
        return end_output(show_list());
    return end_output(options.replay != NULL ? replay(options.replay) : run(&options));
}
