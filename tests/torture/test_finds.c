/* SPDX-License-Identifier: MIT */
/* What the torture must notice: machines that lose flushes or wakes, memory that is written after it was
 * freed, a core that says something else than the model. */
#include "support.h"

#include <string.h>

#include <explore.h>
#include <shrink.h>

/* A scenario that begins on a machine which has just been broken. */
static void (*breakage)(void);
static const struct scenario *original;

static void begin_broken(void)
{
    if (original->begin != NULL)
        original->begin();
    breakage();
}

static struct explore_result *explore_broken(const char *name, void (*how)(void))
{
    static struct explore_result result;
    static struct scenario broken;
    original = scenario_by_name(name);
    assert_non_null(original);
    breakage = how;
    broken = *original;
    broken.begin = begin_broken;
    explore_all(&broken, 2, &(struct explore_limits){.runs = 3000}, &result);
    if (result.failed)
        explore_shrink(&broken, &result);
    return &result;
}

static void test_explore_finds_lost_flush(void **state)
{
    (void)state;
    const struct explore_result *result =
        explore_broken("frame-reuse-after-unmap", sim_lose_flushes);
    assert_true(result->failed);
    assert_true(result->schedule.decision_count <= 4);
}

static void test_explore_finds_lost_wake_up(void **state)
{
    (void)state;
    const struct explore_result *result = explore_broken("fault-against-fault", sim_lose_wakes);
    assert_true(result->failed);
    assert_non_null(strstr(result->text, "lost wake-up"));
    assert_non_null(strstr(result->text, "which has changed since"));
}

static void test_explore_finds_nothing_in_a_sound_machine(void **state)
{
    (void)state;
    struct schedule first = {.kind = SCHEDULE_RANDOM, .seed = 1, .hostility = SIM_TLB_REMEMBER + 1};
    static struct explore_result result;
    explore_seeds(scenario_by_name("frame-reuse-after-unmap"), &first,
                  &(struct explore_limits){.runs = 300}, &result);
    assert_false(result.failed);
    assert_int_equal(result.runs, 300);
}

/* ---- memory ---- */

static jmp_buf failed;
static char text[1024];

static void catch_failure(const char *said)
{
    snprintf(text, sizeof(text), "%s", said);
    longjmp(failed, 1);
}

static void test_vm_meta_alloc_notices_write_after_free(void **state)
{
    (void)state;
    sim_set_failure_handler(catch_failure);
    assert_int_equal(sim_start(NULL), VM_OK);
    char *memory = vm_meta_alloc(100);
    vm_meta_free(memory, 100);
    memory[50] = 1;
    if (setjmp(failed) == 0) {
        (void)vm_meta_alloc(100);
        fail_msg("nobody has noticed");
    }
    assert_non_null(strstr(text, "is_poisoned"));
}

/* ---- traces ---- */

static bool runs_well(const struct trace *trace)
{
    struct trace_way way = {.check_every = 1};
    struct trace_outcome outcome;
    return trace_run(trace, &way, &outcome);
}

/* A trace made of the seed, and at its end one operation whose answer the model can't have. */
static void test_trace_run_notices_what_the_model_does_not_say(void **state)
{
    (void)state;
    struct answer core = {.result = VM_OK}, expected = {.result = ERR_VM_NO_REGION_SLOT};
    struct operation operation = {.kind = OPERATION_CREATE};
    sim_set_failure_handler(catch_failure);
    if (setjmp(failed) == 0) {
        compare_answers(&operation, &core, &expected);
        fail_msg("nobody has noticed");
    }
    assert_non_null(strstr(text, "create: the core says 0"));
    expected = (struct answer){.result = VM_OK, .address = 4096};
    if (setjmp(failed) == 0) {
        compare_answers(&operation, &core, &expected);
        fail_msg("nobody has noticed");
    }
    assert_non_null(strstr(text, "the model 0x1000"));
    operation.kind = OPERATION_READ;
    expected = (struct answer){.result = VM_OK, .length = 3, .bytes = {0, 0, 9}};
    if (setjmp(failed) == 0) {
        compare_answers(&operation, &core, &expected);
        fail_msg("nobody has noticed");
    }
    assert_non_null(strstr(text, "byte 2 is 0, in the model 0x9"));
}

static void test_compare_all_notices_each_difference(void **state)
{
    static const char *const said[] = {"a region of", "lock 0x1", "promised", "has other bytes"};
    (void)state;
    struct operation create = {.kind = OPERATION_CREATE, .argument = {3, 2, 1, LOCK_RW, 0}};
    struct operation write = {.kind = OPERATION_WRITE, .argument = {3, 0, 8, 7}};
    static struct answer core, expected;
    for (unsigned what = 0; what < 4; what++) {
        sim_set_failure_handler(catch_failure);
        perform_start(2);
        perform(&create, &core);
        model_do(&create, &expected);
        perform(&write, &core);
        model_do(&write, &expected);
        compare_all();
        struct place *place = &model.place[0][3];
        if (what == 0)
            model.place[0][4].object = NULL;
        else if (what == 1)
            place[0].lock = place[1].lock = LOCK_RO;
        else if (what == 2)
            model.committed += 4096;
        else
            object_write(place->object, place->offset)[100] = 1;
        if (setjmp(failed) == 0) {
            compare_all();
            fail_msg("nobody has noticed %s", said[what]);
        }
        assert_non_null(strstr(text, said[what]));
    }
}

static void test_trace_generate_repeats(void **state)
{
    (void)state;
    struct trace one = {0}, other = {0};
    trace_generate(&one, 5, GENERATE_ALL, 200);
    trace_generate(&other, 5, GENERATE_ALL, 200);
    assert_int_equal(one.count, 200);
    assert_memory_equal(one.operation, other.operation, 200 * sizeof(one.operation[0]));
    trace_generate(&other, 6, GENERATE_ALL, 200);
    assert_memory_not_equal(one.operation, other.operation, 200 * sizeof(one.operation[0]));
    assert_true(runs_well(&one));
    trace_free(&one);
    trace_free(&other);
}

/* A crash is an outcome of a run apart; a write to the space below all makes one. */
static void test_trace_run_apart_survives_an_abort(void **state)
{
    (void)state;
    struct trace trace = {0};
    struct trace_way way = {.check_every = 1, .cpus = 1000};
    struct trace_outcome outcome;
    trace_generate(&trace, 1, GENERATE_ALL, 5);
    assert_false(trace_run_apart(&trace, &way, 20, &outcome));
    assert_true(outcome.failed);
    way.cpus = 2;
    assert_true(trace_run_apart(&trace, &way, 20, &outcome));
    trace_free(&trace);
}

static void test_trace_shrink_leaves_what_is_needed(void **state)
{
    (void)state;
    struct trace trace = {0};
    struct trace_way way = {.check_every = 1, .cpus = 1000}; /* fails whatever is done */
    struct trace_outcome outcome = {.failed = false};
    trace_generate(&trace, 1, GENERATE_ALL, 40);
    trace_shrink(&trace, &way, &outcome, NULL);
    assert_true(outcome.failed);
    assert_int_equal(trace.count, 0);
    trace_free(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explore_finds_lost_flush),
        cmocka_unit_test(test_explore_finds_lost_wake_up),
        cmocka_unit_test(test_explore_finds_nothing_in_a_sound_machine),
        cmocka_unit_test(test_vm_meta_alloc_notices_write_after_free),
        cmocka_unit_test(test_trace_run_notices_what_the_model_does_not_say),
        cmocka_unit_test(test_compare_all_notices_each_difference),
        cmocka_unit_test(test_trace_generate_repeats),
        cmocka_unit_test(test_trace_run_apart_survives_an_abort),
        cmocka_unit_test(test_trace_shrink_leaves_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
