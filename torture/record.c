/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash.h"
#include "pressure.h"
#include "shrink.h"

#define LINE 512

/* ---- saving ------------------------------------------------------------------------------------- */

static void save_comment(FILE *file, const char *comment)
{
    for (const char *line = comment; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        fprintf(file, "# %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static const char *class_name(unsigned class)
{
    return class < SIM_FAILURES ? sim_failure_name(class) : "any";
}

static void save_trace(FILE *file, const struct record *record)
{
    const struct trace_way *way = &record->way;
    fprintf(file, "%s cpus=%u seed=%lu failing=%d n=%u forever=%d check=%u class=%s\n",
            way->on_linux ? "linux" : "trace", way->cpus, (unsigned long)way->seed, way->failing,
            way->n, way->forever, way->check_every, class_name(way->class));
    for (size_t i = 0; i < record->trace.count; i++)
        operation_print(&record->trace.operation[i], file);
}

static void save_schedule(FILE *file, const struct record *record)
{
    const struct schedule *schedule = &record->schedule;
    fprintf(file, "schedule scenario=%s hostility=%lu n=%u forever=%d class=%s\n",
            record->scenario->name, (unsigned long)schedule->hostility, record->failure.n,
            record->failure.forever, class_name(record->failure.class));
    for (unsigned i = 0; i < schedule->decision_count; i++)
        fprintf(file, "decision at=%u fiber=%u\n", schedule->decisions[i].at,
                schedule->decisions[i].fiber);
}

void record_print(FILE *file, const struct record *record, const char *comment)
{
    save_comment(file, comment);
    if (record->other == RECORD_CRASH)
        fprintf(file, "crash seed=%lu at=%u\n", (unsigned long)record->seed, record->crash_at);
    else if (record->other == RECORD_PRESSURE)
        fprintf(file, "pressure seed=%lu\n", (unsigned long)record->seed);
    else if (record->scenario != NULL)
        save_schedule(file, record);
    else
        save_trace(file, record);
}

bool record_save(const char *path, const struct record *record, const char *comment)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    record_print(file, record, comment);
    bool good = !ferror(file);
    return fclose(file) == 0 && good;
}

/* ---- loading ------------------------------------------------------------------------------------ */

static bool parse_class(const char *text, enum sim_failure *class)
{
    for (*class = 0; *class < SIM_FAILURES; (*class)++)
        if (strcmp(text, sim_failure_name(*class)) == 0)
            return true;
    return strcmp(text, "any") == 0;
}

static bool load_other(struct record *record, const char *line)
{
    unsigned long seed;
    if (sscanf(line, "crash seed=%lu at=%u", &seed, &record->crash_at) == 2)
        record->other = RECORD_CRASH;
    else if (sscanf(line, "pressure seed=%lu", &seed) == 1)
        record->other = RECORD_PRESSURE;
    else
        return false;
    record->seed = seed;
    return true;
}

static bool load_head(struct record *record, const char *line)
{
    unsigned long seed;
    char kind[8], name[64], class[64];
    int failing = 0, forever = 0;
    struct trace_way *way = &record->way;
    if (sscanf(line, "%7[a-z] cpus=%u seed=%lu failing=%d n=%u forever=%d check=%u class=%63[^\n]",
               kind, &way->cpus, &seed, &failing, &way->n, &forever, &way->check_every,
               class) == 8 &&
        (strcmp(kind, "trace") == 0 || strcmp(kind, "linux") == 0)) {
        way->on_linux = strcmp(kind, "linux") == 0;
        way->seed = seed;
        way->failing = failing != 0;
        way->forever = forever != 0;
        return parse_class(class, &way->class);
    }
    if (sscanf(line, "schedule scenario=%63s hostility=%lu n=%u forever=%d class=%63[^\n]", name,
               &seed, &record->failure.n, &forever, class) == 5) {
        record->scenario = scenario_by_name(name);
        record->schedule.kind = SCHEDULE_CHOSEN;
        record->schedule.hostility = seed;
        record->failure.forever = forever != 0;
        return record->scenario != NULL && parse_class(class, &record->failure.class);
    }
    return load_other(record, line);
}

static bool load_decision(struct schedule *schedule, const char *line)
{
    struct decision decision;
    if (schedule->decision_count == SCHEDULE_MAX_DECISIONS ||
        sscanf(line, "decision at=%u fiber=%u", &decision.at, &decision.fiber) != 2)
        return false;
    schedule->decisions[schedule->decision_count++] = decision;
    return true;
}

static bool load_line(struct record *record, const char *line, const char **problem)
{
    static char message[200];
    struct operation operation;
    const char *word;
    if (record->other != RECORD_NO_OTHER) {
        *problem = "nothing follows here";
        return false;
    }
    if (record->scenario != NULL) {
        *problem = "that is no decision";
        return load_decision(&record->schedule, line);
    }
    if (!operation_parse(line, &operation, &word)) {
        snprintf(message, sizeof(message),
                 "%s: no such operation or argument, or its value is out of range", word);
        *problem = message;
        return false;
    }
    trace_add(&record->trace, &operation);
    return true;
}

static bool load(FILE *file, struct record *record, const char **problem, unsigned *number)
{
    static char line[LINE];
    bool head = false, good = true;
    while (good && fgets(line, sizeof(line), file) != NULL) {
        ++*number;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        *problem =
            "a file begins with \"trace\", \"schedule\", \"crash\" or \"pressure\" and all of "
            "its words, and names a scenario that there is";
        good = head ? load_line(record, line, problem) : load_head(record, line);
        head = true;
    }
    if (good && ferror(file)) {
        *problem = strerror(errno);
        *number = 0;
        return false;
    }
    if (good && (!head || (record->scenario == NULL && record->other == RECORD_NO_OTHER &&
                           record->trace.count == 0))) {
        *problem = "there is nothing in it to run";
        return false;
    }
    return good;
}

bool record_load(const char *path, struct record *record, const char **problem, unsigned *line)
{
    FILE *file = fopen(path, "r");
    *line = 0;
    memset(record, 0, sizeof(*record));
    if (file == NULL) {
        *problem = strerror(errno);
        return false;
    }
    bool good = load(file, record, problem, line);
    fclose(file);
    return good;
}

void record_free(struct record *record)
{
    trace_free(&record->trace);
}

/* ---- running ------------------------------------------------------------------------------------ */

/* Shared with the child, so that what was decided is known after a crash. */
struct apart {
    struct schedule schedule;
    struct scenario_outcome outcome;
};

static bool run_other(const struct record *record, struct scenario_outcome *own)
{
    static struct crash_outcome crash;
    static struct pressure_outcome pressure;
    bool is_crash = record->other == RECORD_CRASH;
    struct crash_way way = {.seed = record->seed, .at = record->crash_at};
    bool good = is_crash ? crash_run(&way, &crash) : pressure_run(record->seed, &pressure);
    *own = (struct scenario_outcome){.failed = !good};
    snprintf(own->text, sizeof(own->text), "%s", is_crash ? crash.text : pressure.text);
    return good;
}

static void run_in_child(const struct record *record, unsigned seconds, struct apart *apart)
{
    struct scenario_outcome own;
    apart_begin(seconds);
    apart->outcome = (struct scenario_outcome){.failed = true, .text = "the run hasn't ended"};
    if (record->other != RECORD_NO_OTHER)
        (void)run_other(record, &own);
    else
        (void)scenario_run(record->scenario, &apart->schedule, &record->failure, &own);
    apart->outcome = own;
    _exit(0);
}

static bool run_one(struct record *record, unsigned seconds, char *text, size_t room)
{
    struct apart *apart =
        mmap(NULL, sizeof(*apart), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    if (apart == MAP_FAILED)
        return false;
    apart->schedule = record->schedule;
    fflush(stdout);
    pid_t process = fork();
    if (process == 0)
        run_in_child(record, seconds, apart);
    if (process < 0 || waitpid(process, &status, 0) < 0)
        apart->outcome.failed = true;
    snprintf(text, room, "%s", apart->outcome.text);
    if (WIFSIGNALED(status))
        snprintf(text, room, "%s",
                 WTERMSIG(status) == SIGALRM ? "the run never ends" : strsignal(WTERMSIG(status)));
    bool good = !apart->outcome.failed && !WIFSIGNALED(status);
    record->schedule = apart->schedule;
    munmap(apart, sizeof(*apart));
    return good;
}

bool record_run(struct record *record, unsigned seconds, char *text, size_t room)
{
    struct trace_outcome outcome;
    if (record->scenario != NULL || record->other != RECORD_NO_OTHER)
        return run_one(record, seconds, text, room);
    bool good = trace_run_apart(&record->trace, &record->way, seconds, &outcome);
    if (good)
        snprintf(text, room, "%s", "");
    else
        snprintf(text, room, "operation %zu: %s", outcome.at + 1, outcome.text);
    return good;
}
