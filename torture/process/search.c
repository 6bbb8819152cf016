/* SPDX-License-Identifier: MIT */
#include "search.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACE_SECONDS 60 /* in which a trace comes no further */

/* What the processes share. */
struct shared {
    pthread_mutex_t lock;
    uint64_t next, traces;
    bool failed;
    uint64_t failed_seed;
    struct outcome sums;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    stop = number;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void add(struct outcome *sums, const struct outcome *one)
{
    sums->operations += one->operations;
    sums->faults += one->faults;
    sums->read += one->read;
    sums->written += one->written;
    sums->evicted += one->evicted;
    sums->verified += one->verified;
    sums->signals += one->signals;
    sums->failures += one->failures;
    sums->refused += one->refused;
    sums->system_calls += one->system_calls;
}

static void note(struct shared *shared, const struct trace *trace, bool good,
                 const struct outcome *outcome_of_it)
{
    pthread_mutex_lock(&shared->lock);
    shared->traces++;
    add(&shared->sums, outcome_of_it);
    if (!good && !shared->failed) {
        shared->failed = true;
        shared->failed_seed = trace->way.seed;
        shared->sums.at = outcome_of_it->at;
        memcpy(shared->sums.text, outcome_of_it->text, sizeof(shared->sums.text));
    }
    pthread_mutex_unlock(&shared->lock);
}

static bool goes_on(const struct search_plan *plan, const struct shared *shared, double end)
{
    return !stop && !__atomic_load_n(&shared->failed, __ATOMIC_RELAXED) &&
           (plan->seconds == 0 || now() < end);
}

static void work(const struct search_plan *plan, struct shared *shared, double end)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    static struct trace trace;
    struct outcome own;
    while (goes_on(plan, shared, end)) {
        uint64_t number = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
        if (plan->traces != 0 && number >= plan->traces)
            break;
        trace_make(&trace, plan->seed + number, plan->mode);
        bool good = trace_run(&trace, TRACE_SECONDS, &own);
        note(shared, &trace, good, &own);
    }
    _exit(0);
}

/* False: none could be started. */
static bool start_workers(const struct search_plan *plan, struct shared *shared, double end,
                          unsigned *count)
{
    fflush(NULL);
    for (*count = 0; *count < plan->jobs; ++*count) {
        pid_t child = fork();
        if (child == 0)
            work(plan, shared, end);
        if (child < 0)
            break;
    }
    return *count > 0;
}

static void wait_for_workers(const struct search_plan *plan, const struct shared *shared,
                             unsigned count, double start)
{
    struct timespec pause = {0, 100000000};
    while (count > 0) {
        pid_t ended = waitpid(-1, NULL, WNOHANG);
        if (ended > 0)
            count--;
        else if (nanosleep(&pause, NULL) == 0 && plan->progress != NULL)
            plan->progress(&shared->sums, shared->traces, (unsigned)(now() - start));
    }
}

static struct shared *share(void)
{
    pthread_mutexattr_t between;
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return NULL;
    pthread_mutexattr_init(&between);
    pthread_mutexattr_setpshared(&between, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->lock, &between);
    return shared;
}

bool search_run(const struct search_plan *plan, struct search_result *result)
{
    struct shared *shared = share();
    double start = now();
    unsigned count;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (shared == NULL || !start_workers(plan, shared, start + plan->seconds, &count))
        return false;
    wait_for_workers(plan, shared, count, start);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    result->failed = shared->failed;
    result->traces = shared->traces;
    result->sums = shared->sums;
    result->seconds = now() - start;
    if (result->failed)
        trace_make(&result->trace, shared->failed_seed, plan->mode);
    munmap(shared, sizeof(*shared));
    return true;
}
