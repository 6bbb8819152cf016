/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "perform.h"

#define SHORTENING 120 /* seconds in all */
#define SECONDS 5      /* for a trace that is made short */

/* ---- making ------------------------------------------------------------------------------------- */

static unsigned choose(uint64_t *seed, const unsigned *from, size_t count)
{
    return from[call_random(seed) % count];
}

/* Most have no threads, so that they run again as they did. */
static void choose_way(struct way *way, uint64_t *seed, unsigned mode)
{
    static const unsigned quarters[] = {4, 4, 5, 6, 8, 12, 20}, daemons[] = {0, 0, 0, 1, 2},
                          handlers[] = {1, 2, 2, 4}, touchers[] = {0, 0, 1},
                          modes[] = {QUIRE_MODE_SIGNAL, QUIRE_MODE_HANDLER};
    way->quarters = choose(seed, quarters, 7);
    way->daemons = choose(seed, daemons, 5);
    way->handlers = choose(seed, handlers, 4);
    way->touchers = choose(seed, touchers, 3);
    way->policy = (unsigned)(call_random(seed) % POLICIES);
    way->overcommit = call_random(seed) % 4 == 0;
    way->mode = choose(seed, modes, 2);
    way->mixed = mode == 0 && call_random(seed) % 2 == 0;
    if (mode != 0)
        way->mode = mode;
}

void trace_make(struct trace *trace, uint64_t seed, unsigned mode)
{
    trace->way.seed = seed;
    seed *= 0x9e3779b97f4a7c15u;
    choose_way(&trace->way, &seed, mode);
    for (trace->count = 0; trace->count < TRACE_CALLS; trace->count++)
        call_generate(&seed, &trace->call[trace->count]);
}

/* ---- running ------------------------------------------------------------------------------------ */

static void run_in_child(const struct trace *trace)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGINT, SIGTERM};
    struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)signal(signals[i], SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    world_start(&trace->way);
    for (; outcome->at < trace->count; outcome->at++)
        perform_call(&trace->call[outcome->at]);
    world_stop();
    _exit(0);
}

/* Whatever the machine has to do besides, a page is looked at now and then. */
static uint64_t progress(void)
{
    return outcome->at + __atomic_load_n(&outcome->verified, __ATOMIC_RELAXED);
}

/* Nothing but SIGKILL ends a process that never leaves a call of Quire's. False: it had to be ended, after so many
 * seconds in which it came no further. */
static bool wait_for(pid_t child, unsigned seconds, int *status)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
    uint64_t before = 0;
    unsigned waited = 0;
    bool ended = end.fd < 0;
    while (!ended && waited < seconds) {
        ended = poll(&end, 1, 1000) != 0;
        waited = progress() == before ? waited + 1 : 0;
        before = progress();
    }
    if (!ended)
        (void)kill(child, SIGKILL);
    while (waitpid(child, status, 0) < 0 && errno == EINTR)
        ;
    if (end.fd >= 0)
        close(end.fd);
    return ended;
}

static void look_at_end(bool ended, int status, struct outcome *result)
{
    if (result->failed || (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return;
    result->failed = true;
    if (!ended)
        snprintf(result->text, sizeof(result->text), "the run comes no further");
    else if (WIFEXITED(status))
        snprintf(result->text, sizeof(result->text), "the process has ended with %d",
                 WEXITSTATUS(status));
    else
        snprintf(result->text, sizeof(result->text), "%s", strsignal(WTERMSIG(status)));
}

bool trace_run(const struct trace *trace, unsigned seconds, struct outcome *result)
{
    int status = 0;
    outcome =
        mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(NULL);
    pid_t child = outcome == MAP_FAILED ? -1 : fork();
    if (child == 0)
        run_in_child(trace);
    if (child < 0) {
        *result = (struct outcome){.failed = true, .text = "there is no process for the run"};
        return false;
    }
    bool ended = wait_for(child, seconds, &status);
    *result = *outcome;
    munmap(outcome, sizeof(*outcome));
    look_at_end(ended, status, result);
    return !result->failed;
}

/* ---- making short ------------------------------------------------------------------------------- */

static time_t give_up;

/* Where threads decide, what fails doesn't fail each time. */
static bool still_fails(const struct trace *trace, struct outcome *result)
{
    struct outcome own;
    unsigned tries = trace->way.touchers + trace->way.daemons > 0 ? 4 : 1;
    while (tries-- > 0 && time(NULL) < give_up)
        if (!trace_run(trace, SECONDS, &own)) {
            *result = own;
            return true;
        }
    return false;
}

static bool try_without(struct trace *trace, size_t at, size_t length, struct outcome *result)
{
    static struct trace shorter;
    shorter = *trace;
    memmove(&shorter.call[at], &shorter.call[at + length],
            (shorter.count - at - length) * sizeof(shorter.call[0]));
    shorter.count -= length;
    if (!still_fails(&shorter, result))
        return false;
    *trace = shorter;
    return true;
}

static void remove_parts(struct trace *trace, size_t length, struct outcome *result)
{
    for (size_t end = trace->count; end > 0;) {
        size_t part = length < end ? length : end;
        end -= part;
        (void)try_without(trace, end, part, result);
    }
}

static void simplify(struct trace *trace, struct outcome *result)
{
    for (size_t i = 0; i < trace->count; i++)
        for (unsigned a = 0; a < CALL_ARGUMENTS; a++) {
            uint32_t *value = &trace->call[i].argument[a], old = *value;
            *value = 0;
            if (old != 0 && !still_fails(trace, result))
                *value = old;
        }
}

/* With threads that only disturb, if it fails without them. */
static void drop_threads(struct trace *trace, struct outcome *result)
{
    struct way old = trace->way;
    trace->way.touchers = trace->way.daemons = 0;
    if (!still_fails(trace, result))
        trace->way = old;
}

void trace_shorten(struct trace *trace, struct outcome *result)
{
    give_up = time(NULL) + SHORTENING;
    if (!still_fails(trace, result))
        return;
    if (result->at < trace->count)
        trace->count = result->at + 1;
    drop_threads(trace, result);
    for (size_t length = trace->count / 2 + 1; length > 0; length /= 2)
        remove_parts(trace, length, result);
    remove_parts(trace, 1, result);
    simplify(trace, result);
    (void)still_fails(trace, result);
}

/* ---- text --------------------------------------------------------------------------------------- */

#define HEAD                                                                                       \
    "process seed=%lu mode=%u mixed=%u quarters=%u daemons=%u handlers=%u policy=%u "              \
    "overcommit=%u "                                                                               \
    "touchers=%u"

void trace_print(const struct trace *trace, FILE *file)
{
    const struct way *way = &trace->way;
    fprintf(file, HEAD "\n", (unsigned long)way->seed, way->mode, way->mixed, way->quarters,
            way->daemons, way->handlers, way->policy, way->overcommit, way->touchers);
    for (size_t i = 0; i < trace->count; i++)
        call_print(&trace->call[i], file);
}

static bool parse_head(const char *line, struct way *way)
{
    unsigned long seed;
    int words = sscanf(line, HEAD, &seed, &way->mode, &way->mixed, &way->quarters, &way->daemons,
                       &way->handlers, &way->policy, &way->overcommit, &way->touchers);
    way->seed = seed;
    return words == 9 && way->mode >= QUIRE_MODE_SIGNAL && way->mode <= QUIRE_MODE_HANDLER &&
           way->quarters >= 4 && way->quarters < 4096 && way->daemons <= 8 && way->handlers <= 16 &&
           way->policy < POLICIES && way->touchers <= 1;
}

unsigned trace_load(struct trace *trace, FILE *file)
{
    char line[160];
    bool begun = false;
    trace->count = 0;
    for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (begun ? trace->count == TRACE_CALLS || !call_parse(line, &trace->call[trace->count++])
                  : !parse_head(line, &trace->way))
            return number;
        begun = true;
    }
    return begun ? 0 : 1;
}
