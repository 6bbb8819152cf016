/* SPDX-License-Identifier: MIT */
/* The processes. A runner has one child for each space; who has the turn does the steps of his space and
 * hands the turn on to the next step's. A fork's child is the runner's child, too: one waits for all. */
#define _GNU_SOURCE
#include "linux.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_plan.h"

/* Of processes: one for each space, and old ones that haven't ended yet. */
#define MAILBOXES 16
#define NO_MAILBOX MAILBOXES
/* A run that takes longer than this, and a second for so many steps, never ends. */
#define PATIENCE_SECONDS 20
#define STEPS_A_SECOND 2000

enum mail { MAIL_NOTHING, MAIL_TURN, MAIL_END, MAIL_UNUSED };

/* Shared by all processes. What isn't atomic belongs to who has the turn. */
struct control {
    _Atomic uint32_t mailbox[MAILBOXES];
    unsigned mailbox_of[SPACES];
    size_t next; /* step */
    atomic_bool finished;
    atomic_bool failed; /* and `text` and `at` say why */
    size_t at;
    uint64_t operations, faults, comparisons;
    char text[1024];
};

static struct control *control;
static const struct linux_plan *plan;
static unsigned own_space, own_mailbox; /* of this process */

/* ---- mail --------------------------------------------------------------------------------------- */

static void futex(_Atomic uint32_t *word, int what, uint32_t value)
{
    (void)syscall(SYS_futex, word, what, value, NULL, NULL, 0);
}

/* An end is the last mail. */
static void post(unsigned mailbox, enum mail mail)
{
    uint32_t nothing = MAIL_NOTHING;
    if (mailbox == NO_MAILBOX)
        return;
    if (mail == MAIL_END)
        atomic_store(&control->mailbox[mailbox], MAIL_END);
    else
        (void)atomic_compare_exchange_strong(&control->mailbox[mailbox], &nothing, mail);
    futex(&control->mailbox[mailbox], FUTEX_WAKE, 1);
}

static void wait_for_turn(void)
{
    _Atomic uint32_t *word = &control->mailbox[own_mailbox];
    uint32_t turn = MAIL_TURN;
    while (!atomic_compare_exchange_strong(word, &turn, MAIL_NOTHING)) {
        if (turn == MAIL_END) {
            atomic_store(word, MAIL_UNUSED);
            _exit(0);
        }
        futex(word, FUTEX_WAIT, MAIL_NOTHING);
        turn = MAIL_TURN;
    }
}

static void end_all(void)
{
    atomic_store(&control->finished, true);
    for (unsigned i = 0; i < MAILBOXES; i++)
        if (atomic_load(&control->mailbox[i]) != MAIL_UNUSED)
            post(i, MAIL_END);
}

static unsigned take_mailbox(void)
{
    for (;;) {
        for (unsigned i = 0; i < MAILBOXES; i++)
            if (atomic_load(&control->mailbox[i]) == MAIL_UNUSED) {
                atomic_store(&control->mailbox[i], MAIL_NOTHING);
                return i;
            }
        (void)sched_yield();
    }
}

/* ---- a space's process -------------------------------------------------------------------------- */

static void fail_step(const struct linux_step *step)
{
    control->at = step->at;
    atomic_store(&control->failed, true);
    end_all();
    _exit(0);
}

/* As fork, but the child is the runner's. */
static pid_t fork_for_runner(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* The child takes the place of the process that was the target. True: this is the child. */
static bool fork_space(const struct linux_step *step)
{
    unsigned to = operation_fork_target(&step->operation), mailbox = take_mailbox();
    unsigned old = control->mailbox_of[to];
    pid_t child = fork_for_runner();
    if (child == 0) {
        own_space = to;
        own_mailbox = mailbox;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        return true;
    }
    if (child < 0) {
        snprintf(control->text, sizeof(control->text), "fork: Linux says %d (%s)", errno,
                 strerror(errno));
        fail_step(step);
    }
    control->mailbox_of[to] = mailbox;
    post(old, MAIL_END);
    return false;
}

static void count_step(const struct linux_step *step)
{
    bool operation = step->kind == STEP_OPERATION;
    control->operations += operation;
    control->comparisons += step->kind == STEP_WINDOW;
    control->faults += operation && step->result != VM_OK &&
                       step->operation.kind >= OPERATION_READ &&
                       step->operation.kind <= OPERATION_WRITE;
}

/* False: this is a fork's child, which has no turn yet. */
static bool do_step(const struct linux_step *step)
{
    count_step(step);
    if (step->kind == STEP_OPERATION && step->operation.kind == OPERATION_FORK)
        return !fork_space(step);
    if (!linux_call(step, control->text, sizeof(control->text)))
        fail_step(step);
    return true;
}

/* Does this space's next steps, and gives the turn on. */
static void take_turn(void)
{
    size_t *next = &control->next;
    for (; *next < plan->count && plan->step[*next].space == own_space; (*next)++)
        if (!do_step(&plan->step[*next]))
            return;
    if (*next == plan->count)
        end_all();
    else
        post(control->mailbox_of[plan->step[*next].space], MAIL_TURN);
}

static void be_space(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        wait_for_turn();
        take_turn();
    }
}

/* ---- the runner --------------------------------------------------------------------------------- */

static void fail(const char *text)
{
    if (!atomic_exchange(&control->failed, true))
        snprintf(control->text, sizeof(control->text), "%s", text);
}

static void start_space(unsigned space)
{
    own_space = space;
    own_mailbox = take_mailbox();
    control->mailbox_of[space] = own_mailbox;
    pid_t child = fork();
    if (child == 0)
        be_space();
    if (child < 0)
        fail("no process for a space");
}

static void notice_end(int status)
{
    char text[128];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    snprintf(text, sizeof(text), "a space's process ends: %s",
             WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it exits");
    if (!atomic_load(&control->failed) && control->next < plan->count)
        control->at = plan->step[control->next].at;
    fail(text);
    end_all();
}

static void run_all(void)
{
    int status;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(PATIENCE_SECONDS + (unsigned)(plan->count / STEPS_A_SECOND));
    const char *problem = linux_call_start();
    if (problem == NULL && !linux_call_open_files())
        problem = "there are no memfds";
    if (problem != NULL) {
        fail(problem);
        return;
    }
    for (unsigned space = 0; space < SPACES; space++)
        if (plan->used[space])
            start_space(space);
    if (plan->count > 0 && !atomic_load(&control->failed))
        post(control->mailbox_of[plan->step[0].space], MAIL_TURN);
    else
        end_all();
    while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
        notice_end(status);
}

/* ---- the caller --------------------------------------------------------------------------------- */

static struct control *new_control(void)
{
    struct control *c =
        mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c == MAP_FAILED)
        abort();
    for (unsigned i = 0; i < MAILBOXES; i++)
        atomic_store(&c->mailbox[i], MAIL_UNUSED);
    for (unsigned i = 0; i < SPACES; i++)
        c->mailbox_of[i] = NO_MAILBOX;
    return c;
}

static void report(struct trace_outcome *outcome)
{
    outcome->failed = atomic_load(&control->failed);
    outcome->at = control->at;
    outcome->operations = control->operations;
    outcome->faults = control->faults;
    outcome->comparisons = control->comparisons;
    snprintf(outcome->text, sizeof(outcome->text), "%s", outcome->failed ? control->text : "");
}

bool linux_plan_run(const struct linux_plan *the_plan, struct trace_outcome *outcome)
{
    int status = 0;
    control = new_control();
    plan = the_plan;
    fflush(NULL);
    pid_t runner = fork();
    if (runner == 0) {
        run_all();
        _exit(0);
    }
    while (runner > 0 && waitpid(runner, &status, 0) < 0 && errno == EINTR)
        ;
    if (runner < 0)
        fail("no process for the run");
    else if (WIFSIGNALED(status))
        fail(WTERMSIG(status) == SIGALRM ? "the run on Linux never ends"
                                         : strsignal(WTERMSIG(status)));
    report(outcome);
    (void)munmap(control, sizeof(*control));
    return !outcome->failed;
}

bool linux_run_way(const struct trace *trace, const struct trace_way *way,
                   struct trace_outcome *outcome)
{
    struct linux_plan made;
    linux_plan_make(&made, trace, way->check_every);
    bool same = trace_run(&made.kept, way, outcome);
    if (same)
        same = linux_plan_run(&made, outcome);
    else if (outcome->at < made.kept.count)
        outcome->at = made.kept_at[outcome->at];
    outcome->cut = made.cut;
    linux_plan_free(&made);
    return same;
}

bool linux_run(const struct trace *trace, struct trace_outcome *outcome)
{
    return linux_run_way(trace, &(struct trace_way){.check_every = LINUX_CHECK_EVERY}, outcome);
}
