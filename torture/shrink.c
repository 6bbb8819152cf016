/* SPDX-License-Identifier: MIT */
#include "shrink.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux.h"

#define SECONDS 20 /* for a short trace */

/* ---- apart -------------------------------------------------------------------------------------- */

void apart_begin(unsigned seconds)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)signal(signals[i], SIG_DFL);
    alarm(seconds);
}

static void run_in_child(const struct trace *trace, const struct trace_way *way, unsigned seconds,
                         struct trace_outcome *outcome)
{
    struct trace_outcome own;
    apart_begin(seconds);
    /* What is known if it crashes. */
    *outcome = (struct trace_outcome){.failed = true, .text = "the run hasn't ended"};
    (void)(way->on_linux ? linux_run_way : trace_run)(trace, way, &own);
    *outcome = own;
    _exit(0);
}

bool trace_run_apart(const struct trace *trace, const struct trace_way *way, unsigned seconds,
                     struct trace_outcome *outcome)
{
    struct trace_outcome *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    fflush(stdout);
    pid_t child = shared == MAP_FAILED ? -1 : fork();
    if (child == 0)
        run_in_child(trace, way, seconds, shared);
    if (child > 0)
        (void)waitpid(child, &status, 0);
    *outcome = child > 0 ? *shared
                         : (struct trace_outcome){.failed = true, .text = "no process for the run"};
    if (shared != MAP_FAILED)
        munmap(shared, sizeof(*shared));
    if (WIFSIGNALED(status)) {
        outcome->failed = true;
        snprintf(outcome->text, sizeof(outcome->text), "%s",
                 WTERMSIG(status) == SIGALRM ? "the run never ends" : strsignal(WTERMSIG(status)));
    }
    return !outcome->failed;
}

/* ---- shorter ------------------------------------------------------------------------------------ */

static struct trace_outcome *last;
static const struct trace_way *current_way;

static bool still_fails(const struct trace *trace)
{
    struct trace_outcome outcome;
    if (trace_run_apart(trace, current_way, SECONDS, &outcome))
        return false;
    *last = outcome;
    return true;
}

static void remove_part(const struct trace *from, size_t at, size_t length, struct trace *to)
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++)
        if (i < at || i >= at + length)
            trace_add(to, &from->operation[i]);
}

/* One pass with parts of this length. Whether anything went. */
static bool remove_parts(struct trace *trace, size_t length, void (*progress)(size_t left))
{
    struct trace shorter = {NULL, 0, 0};
    bool any = false;
    for (size_t end = trace->count; end > 0;) {
        size_t part = length < end ? length : end, at = end - part;
        remove_part(trace, at, part, &shorter);
        if (still_fails(&shorter)) {
            struct trace old = *trace;
            *trace = shorter;
            shorter = old;
            any = true;
            if (progress != NULL)
                progress(trace->count);
        }
        end = at;
    }
    trace_free(&shorter);
    return any;
}

/* Tries 0 for each argument, then half of it. */
static void simplify(struct trace *trace)
{
    for (size_t i = 0; i < trace->count; i++)
        for (unsigned a = 0; a < OPERATION_ARGUMENTS; a++) {
            int32_t *value = &trace->operation[i].argument[a], old = *value;
            if (old == 0)
                continue;
            *value = 0;
            if (still_fails(trace))
                continue;
            *value = old / 2;
            if (!still_fails(trace))
                *value = old;
        }
}

void trace_shrink(struct trace *trace, const struct trace_way *way, struct trace_outcome *outcome,
                  void (*progress)(size_t left))
{
    struct trace_way strict = *way;
    size_t all = trace->count;
    strict.check_every = 1;
    last = outcome;
    /* With everything compared after each operation, the failure comes soonest. */
    current_way = &strict;
    if (!still_fails(trace))
        current_way = way;
    if (!still_fails(trace))
        return;
    trace->count = outcome->at + 1;
    if (!still_fails(trace))
        trace->count = all;
    for (size_t length = trace->count / 2 + 1; length > 0; length /= 2)
        while (remove_parts(trace, length, progress) && length == 1)
            ;
    simplify(trace);
    (void)still_fails(trace);
}
