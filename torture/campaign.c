/* SPDX-License-Identifier: MIT */
#include "campaign.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash.h"
#include "explore.h"
#include "linux.h"
#include "pressure.h"
#include "shrink.h"

#define RUNS_OF_A_TURN 200
#define HUNG_SECONDS 60 /* no run takes so long */

/* What a process shares with the one that watches it. `record` is what runs now, so that it is known
 * when it crashes. */
struct worker {
    struct campaign_figures figures;
    struct record record;
    uint64_t trace_seed;
    enum generate_profile profile;
    bool failed, ended;
    uint64_t turns; /* of the first: those that somebody has begun; atomic */
    char text[1024];
};

static const struct campaign_plan *plan;
static struct worker *self, *all;
static unsigned number;
static double deadline;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static bool time_is_over(void)
{
    return deadline > 0 && now() >= deadline;
}

/* ---- in a worker -------------------------------------------------------------------------------- */

static void note_sites(void)
{
    for (size_t i = 0; i < sim_sites() && i < CAMPAIGN_SITES; i++) {
        struct sim_site site = sim_site(i);
        self->figures.site[i] = (struct campaign_site){site.seen, site.failed};
    }
}

static _Noreturn void give_up(const char *text)
{
    snprintf(self->text, sizeof(self->text), "%s", text);
    note_sites();
    self->failed = true;
    _exit(1);
}

/* Every third trace has requests that fail, unless all have, or are to have none. */
static void choose_way(uint64_t turn)
{
    struct trace_way *way = &self->record.way;
    self->trace_seed = plan->seed + turn;
    self->record.scenario = NULL;
    *way = plan->way;
    way->failing |= plan->strategy == CAMPAIGN_MIXED && !way->on_linux && turn % 3 == 2;
    way->seed = turn % 2 == 0 && !way->failing ? 0 : self->trace_seed + 1;
    self->profile = way->on_linux ? GENERATE_POSIX : way->failing ? GENERATE_CALM : GENERATE_ALL;
}

static void run_trace(uint64_t turn)
{
    static struct trace trace;
    struct trace_outcome outcome;
    struct campaign_figures *figures = &self->figures;
    const struct trace_way *way = &self->record.way;
    double start = now();
    choose_way(turn);
    trace_generate(&trace, self->trace_seed, self->profile, CAMPAIGN_TRACE);
    alarm(HUNG_SECONDS);
    if (!(way->on_linux ? linux_run_way : trace_run)(&trace, way, &outcome))
        give_up(outcome.text);
    figures->traces++;
    figures->operations += outcome.operations;
    figures->faults += outcome.faults;
    figures->copies += outcome.copies;
    figures->comparisons += outcome.comparisons;
    figures->cut += outcome.cut;
    figures->injected += outcome.injected;
    figures->trace_seconds += now() - start;
}

static bool go_on(void *unused, const struct explore_result *so_far)
{
    (void)unused;
    if (so_far->runs % 16 == 0)
        alarm(HUNG_SECONDS);
    return so_far->runs % 16 != 0 || !time_is_over();
}

static void note_run(void *unused, const struct schedule *schedule,
                     const struct scenario_failure *failure)
{
    (void)unused;
    self->record.schedule = *schedule;
    self->record.schedule.watch = NULL;
    self->record.failure = failure != NULL ? *failure : (struct scenario_failure){.n = 0};
}

/* Adds a result to the figures; `runs` is where its runs are counted. */
static void add(size_t index, const struct explore_result *result, uint64_t *runs)
{
    struct campaign_scenario *figures = &self->figures.scenario[index];
    *runs += result->runs;
    self->figures.schedules += result->runs;
    self->figures.steps += result->steps;
    self->figures.injected += result->injected;
    if (result->choices > figures->choices)
        figures->choices = result->choices;
    if (!result->failed)
        return;
    self->record.schedule = result->schedule;
    self->record.failure = result->failure;
    give_up(result->text);
}

static void explore_by_chance(size_t index, uint64_t turn, enum schedule_kind kind)
{
    static struct explore_result result;
    static struct schedule first;
    struct explore_limits limits = {RUNS_OF_A_TURN, go_on, note_run, NULL};
    struct campaign_scenario *figures = &self->figures.scenario[index];
    self->record.scenario = scenarios[index];
    /* PCT's bound is for runs in which nothing else is left to chance. */
    first = (struct schedule){.hostility =
                                  kind == SCHEDULE_PCT ? SIM_TLB_REMEMBER : SIM_TLB_REMEMBER + 1,
                              .kind = kind,
                              .seed = plan->seed + turn * RUNS_OF_A_TURN,
                              .depth = CAMPAIGN_DEPTH};
    explore_seeds(scenarios[index], &first, &limits, &result);
    add(index, &result, kind == SCHEDULE_PCT ? &figures->pct : &figures->random);
}

static void explore_to_the_end(size_t index, unsigned preemptions)
{
    static struct explore_result result;
    struct explore_limits limits = {0, go_on, note_run, NULL};
    self->record.scenario = scenarios[index];
    explore_all(scenarios[index], preemptions, &limits, &result);
    self->figures.scenario[index].complete = result.complete;
    add(index, &result, &self->figures.scenario[index].exhaustive);
}

static void explore_all_failures(size_t index)
{
    static struct explore_result result;
    struct explore_limits limits = {0, go_on, note_run, NULL};
    self->record.scenario = scenarios[index];
    explore_failures(scenarios[index], &limits, &result);
    add(index, &result, &self->figures.scenario[index].failures);
}

/* What goes wrong here is a panic, or an error that isn't one of memory. */
static void explore_all_starts(void)
{
    static struct explore_result result;
    struct explore_limits limits = {0, go_on, NULL, NULL};
    self->record.scenario = scenarios[0];
    sim_set_failure_handler(give_up);
    explore_starts(&limits, &result);
    self->figures.injected += result.injected;
    if (result.failed)
        give_up(result.text);
}

/* One turn of schedules; false: there is nothing more to do. Turns are counted over all workers, so
 * that each scenario's come in order. */
static bool run_schedules(uint64_t turn)
{
    uint64_t count = plan->only != NULL ? 1 : scenario_count, round = turn / count;
    size_t index = turn % count;
    while (plan->only != NULL && scenarios[index] != plan->only)
        index++;
    switch (plan->strategy) {
    case CAMPAIGN_RANDOM:
        explore_by_chance(index, turn, SCHEDULE_RANDOM);
        return true;
    case CAMPAIGN_PCT:
        explore_by_chance(index, turn, SCHEDULE_PCT);
        return true;
    case CAMPAIGN_EXHAUSTIVE:
        if (round > 0)
            return false;
        explore_to_the_end(index, 2);
        return true;
    case CAMPAIGN_MIXED:
        break;
    }
    if (round == 0)
        explore_to_the_end(index, 1);
    else if (round == 1) {
        if (index == 0)
            explore_all_starts();
        explore_all_failures(index);
    } else
        explore_by_chance(index, turn, round % 2 == 0 ? SCHEDULE_RANDOM : SCHEDULE_PCT);
    return true;
}

/* The machine stops at the first page that is written, the second... and so on to the end. */
static void run_crashes(uint64_t turn)
{
    static struct crash_outcome outcome;
    struct campaign_figures *figures = &self->figures;
    struct crash_way way = {.seed = plan->seed + turn};
    self->record.seed = way.seed;
    do {
        self->record.crash_at = ++way.at;
        if (!crash_run(&way, &outcome))
            give_up(outcome.text);
        figures->stops += outcome.stopped;
        figures->confirmed += outcome.confirmed;
        figures->outdone += outcome.outdone;
    } while (outcome.stopped && !time_is_over());
}

static void run_pressure(uint64_t turn)
{
    static struct pressure_outcome outcome;
    struct campaign_figures *figures = &self->figures;
    self->record.seed = plan->seed + turn;
    if (!pressure_run(self->record.seed, &outcome))
        give_up(outcome.text);
    figures->pressures++;
    figures->operations += outcome.operations;
    figures->verified += outcome.verified;
    figures->evictions += outcome.evictions;
    figures->refused += outcome.refused;
}

static _Noreturn void work_on_other(void)
{
    self->record.other = plan->other;
    for (uint64_t turn = number; !time_is_over(); turn += plan->jobs) {
        alarm(HUNG_SECONDS);
        if (plan->other == RECORD_CRASH)
            run_crashes(turn);
        else
            run_pressure(turn);
        note_sites();
    }
    self->ended = true;
    _exit(0);
}

/* Seeds are chosen by the turn, so each worker has its own; what is done once goes to who has time for it. */
static uint64_t next_turn(uint64_t turn)
{
    bool is_once = plan->strategy == CAMPAIGN_EXHAUSTIVE && !plan->traces;
    return is_once ? __atomic_fetch_add(&all->turns, 1, __ATOMIC_RELAXED) : turn + plan->jobs;
}

static _Noreturn void work(void)
{
    uint64_t operations = plan->operations / plan->jobs + 1;
    bool traces = plan->traces, schedules = plan->schedules;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGINT, SIG_IGN); /* who watches ends the work */
    (void)signal(SIGTERM, SIG_DFL);
    apart_begin(HUNG_SECONDS);
    if (plan->other != RECORD_NO_OTHER)
        work_on_other();
    for (uint64_t turn = number; (traces || schedules) && !time_is_over(); turn = next_turn(turn)) {
        if (traces)
            run_trace(turn);
        if (schedules)
            schedules = run_schedules(turn);
        note_sites();
        if (plan->operations > 0 && self->figures.operations >= operations)
            traces = false;
    }
    self->ended = true;
    _exit(0);
}

/* ---- watching ----------------------------------------------------------------------------------- */

static void add_figures(struct campaign_figures *sum, const struct campaign_figures *one)
{
    sum->operations += one->operations;
    sum->faults += one->faults;
    sum->copies += one->copies;
    sum->comparisons += one->comparisons;
    sum->traces += one->traces;
    sum->cut += one->cut;
    sum->schedules += one->schedules;
    sum->steps += one->steps;
    sum->injected += one->injected;
    sum->stops += one->stops;
    sum->confirmed += one->confirmed;
    sum->outdone += one->outdone;
    sum->pressures += one->pressures;
    sum->verified += one->verified;
    sum->evictions += one->evictions;
    sum->refused += one->refused;
    sum->trace_seconds += one->trace_seconds;
    for (unsigned i = 0; i < CAMPAIGN_SCENARIOS; i++) {
        struct campaign_scenario *to = &sum->scenario[i];
        const struct campaign_scenario *from = &one->scenario[i];
        to->random += from->random;
        to->pct += from->pct;
        to->exhaustive += from->exhaustive;
        to->failures += from->failures;
        to->complete |= from->complete;
        if (from->choices > to->choices)
            to->choices = from->choices;
    }
    for (unsigned i = 0; i < CAMPAIGN_SITES; i++) {
        sum->site[i].seen += one->site[i].seen;
        sum->site[i].failed += one->site[i].failed;
    }
}

static void sum_up(const struct worker *workers, double started, struct campaign_figures *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (unsigned i = 0; i < plan->jobs; i++)
        add_figures(sum, &workers[i].figures);
    sum->seconds = now() - started;
}

/* What failed, as something that can be run again. */
static void take_failure(const struct worker *worker, int status, struct campaign_result *result)
{
    result->failed = true;
    result->record = worker->record;
    memset(&result->record.trace, 0, sizeof(result->record.trace));
    if (worker->record.scenario == NULL && worker->record.other == RECORD_NO_OTHER)
        trace_generate(&result->record.trace, worker->trace_seed, worker->profile, CAMPAIGN_TRACE);
    if (worker->failed)
        snprintf(result->text, sizeof(result->text), "%s", worker->text);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(result->text, sizeof(result->text), "the run never ends");
    else
        snprintf(result->text, sizeof(result->text), "%s",
                 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "a process ended by itself");
}

static volatile sig_atomic_t stopped_by;

static void stop(int number_of_signal)
{
    stopped_by = number_of_signal;
}

static void watch(struct worker *workers, const pid_t *processes, struct campaign_result *result,
                  void (*progress)(const struct campaign_figures *figures))
{
    double started = now();
    unsigned running = plan->jobs;
    while (running > 0) {
        int status;
        pid_t process = waitpid(-1, &status, WNOHANG);
        if (process == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
            for (unsigned i = 0; i < plan->jobs && stopped_by != 0; i++)
                kill(processes[i], SIGKILL);
            sum_up(workers, started, &result->figures);
            if (progress != NULL)
                progress(&result->figures);
            continue;
        }
        for (unsigned i = 0; i < plan->jobs; i++) {
            if (processes[i] != process)
                continue;
            running--;
            if (!workers[i].ended && !result->failed && stopped_by == 0)
                take_failure(&workers[i], status, result);
        }
        for (unsigned i = 0; i < plan->jobs && result->failed; i++)
            kill(processes[i], SIGKILL);
    }
    result->signal = stopped_by;
    sum_up(workers, started, &result->figures);
}

bool campaign_run(const struct campaign_plan *wanted, struct campaign_result *result,
                  void (*progress)(const struct campaign_figures *figures))
{
    pid_t processes[CAMPAIGN_JOBS];
    size_t size = wanted->jobs * sizeof(struct worker);
    struct worker *workers =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(result, 0, sizeof(*result));
    if (workers == MAP_FAILED)
        return false;
    all = workers;
    plan = wanted;
    deadline = plan->seconds > 0 ? now() + plan->seconds : 0;
    fflush(NULL);
    stopped_by = 0;
    all->turns = plan->jobs;
    (void)signal(SIGINT, stop);
    (void)signal(SIGTERM, stop);
    for (number = 0; number < plan->jobs; number++) {
        self = &workers[number];
        processes[number] = fork();
        if (processes[number] == 0)
            work();
        if (processes[number] < 0)
            return false;
    }
    watch(workers, processes, result, progress);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    munmap(workers, size);
    return true;
}
