/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "perform.h"

/* ---- traces ------------------------------------------------------------------------------------- */

void trace_add(struct trace *trace, const struct operation *operation)
{
    if (trace->count == trace->room) {
        trace->room = trace->room * 2 + 64;
        trace->operation = realloc(trace->operation, trace->room * sizeof(*trace->operation));
        if (trace->operation == NULL)
            abort();
    }
    trace->operation[trace->count++] = *operation;
}

void trace_free(struct trace *trace)
{
    free(trace->operation);
    *trace = (struct trace){NULL, 0, 0};
}

void trace_generate(struct trace *trace, uint64_t seed, enum generate_profile profile, size_t count)
{
    struct generator generator;
    struct operation operation;
    generate_start(&generator, seed, profile);
    trace->count = 0;
    for (size_t i = 0; i < count; i++) {
        generate_next(&generator, &operation);
        trace_add(trace, &operation);
    }
}

/* ---- running ------------------------------------------------------------------------------------ */

static jmp_buf failed;
static struct trace_outcome *current;
static struct answer core, expected;

static void catch_failure(const char *text)
{
    snprintf(current->text, sizeof(current->text), "%s", text);
    longjmp(failed, 1);
}

/* The choices of a failing run depend on the operation's own number alone, so that a shorter trace makes
 * the same ones for what is left of it. */
static void arm(const struct trace_way *way, const struct operation *operation)
{
    struct generator g;
    uint64_t mixed = way->seed;
    for (unsigned i = 0; i < OPERATION_ARGUMENTS; i++)
        mixed = mixed * 31 + (uint32_t)operation->argument[i] + operation->kind;
    generate_start(&g, mixed, GENERATE_ALL);
    enum sim_failure class =
        way->class < SIM_FAILURES ? way->class : generate_pick(&g, SIM_FAILURES);
    unsigned n = way->n > 0 ? way->n : 1 + generate_pick(&g, generate_pick(&g, 3) == 0 ? 24 : 6);
    /* A short read is no error, and a write that fails with a file's last reference has nobody to tell:
     * the model would have to know of them. */
    bool silent = class == SIM_FAIL_SHORT_READ ||
                  (class == SIM_FAIL_STORE_WRITE && operation->kind != OPERATION_SYNC);
    if (!silent)
        sim_fail_at(class, n, way->forever || generate_pick(&g, 2) == 0);
}

static void disarm(void)
{
    for (enum sim_failure class = 0; class < SIM_FAILURES; class ++) {
        current->injected += sim_fail_done(class);
        sim_fail_at(class, 0, false);
    }
}

static bool is_excused(int error)
{
    return error == ERR_NO_MEMORY || error == ERR_VM_WOULD_OVERCOMMIT || error == ERR_IO ||
           error == ERR_VM_BAD_USER_MEMORY;
}

/* What an access has brought in before it failed stays: a page, or a stack that has grown. */
static bool may_stay_half_done(const struct operation *operation)
{
    return operation->kind == OPERATION_READ || operation->kind == OPERATION_EXECUTE ||
           operation->kind == OPERATION_WRITE || operation->kind == OPERATION_FILE_WRITE;
}

/* An operation that fails on request has changed nothing, so it is as if it had not been. */
static void perform_failing(const struct trace_way *way, const struct operation *operation)
{
    uint64_t before = current->injected;
    arm(way, operation);
    perform(operation, &core);
    disarm();
    if (current->injected == before || !is_excused(core.result))
        return;
    if (!may_stay_half_done(operation))
        compare_all();
    perform(operation, &core);
}

/* Pages go behind about every fourth operation of a run with an odd seed: nothing that a program sees may
 * change. Which operations it is depends on the operation alone, too. */
static void reclaim_behind(const struct trace_way *way, const struct operation *operation)
{
    uint64_t mixed = way->seed * 0x9e3779b97f4a7c15u + operation->kind;
    for (unsigned i = 0; i < OPERATION_ARGUMENTS; i++)
        mixed = (mixed ^ (uint32_t)operation->argument[i]) * 0xff51afd7ed558ccdu;
    if (way->seed % 2 == 1 && (mixed >> 60) < 4)
        (void)vm_reclaim((mixed >> 40) % 64);
}

static void step(const struct trace_way *way, const struct operation *operation)
{
    if (!model_can_follow(operation))
        return;
    if (way->failing)
        perform_failing(way, operation);
    else
        perform(operation, &core);
    reclaim_behind(way, operation);
    model_do(operation, &expected);
    current->operations++;
    current->cut = model.lost;
    if (!current->cut)
        compare_answers(operation, &core, &expected);
    bool synced = core.result == VM_OK || core.result == ERR_VM_PAGE_NOT_PRESENT;
    if (operation->kind == OPERATION_SYNC && synced)
        compare_synced(operation);
}

static void note_figures(struct trace_outcome *outcome)
{
    vm_info info;
    vm_get_info(&info);
    outcome->faults = sim_faults();
    outcome->copies = info.copies;
}

bool trace_run(const struct trace *trace, const struct trace_way *way,
               struct trace_outcome *outcome)
{
    *outcome = (struct trace_outcome){.failed = false};
    current = outcome;
    sim_set_failure_handler(catch_failure);
    if (setjmp(failed) != 0) {
        outcome->failed = true;
        return false;
    }
    perform_start(way->cpus != 0 ? way->cpus : 2);
    sim_set_hostility(way->seed);
    for (size_t i = 0; i < trace->count && !outcome->cut; i++) {
        outcome->at = i;
        step(way, &trace->operation[i]);
        if (!outcome->cut && way->check_every > 0 && (i + 1) % way->check_every == 0) {
            compare_all();
            outcome->comparisons++;
        }
    }
    if (!outcome->cut)
        compare_contents();
    outcome->cut = model.lost; /* a read may have made a stack outgrow it */
    if (!outcome->cut)
        compare_all();
    note_figures(outcome);
    perform_end();
    return true;
}
