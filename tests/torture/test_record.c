/* SPDX-License-Identifier: MIT */
/* Operations as text, and failures as files. */
#include "support.h"

#include <errno.h>
#include <record.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/quire-test-record-XXXXXX";

static void put(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_operation_print_is_what_operation_parse_reads(void **state)
{
    (void)state;
    struct generator generator;
    generate_start(&generator, 3, GENERATE_ALL);
    for (unsigned i = 0; i < 2000; i++) {
        struct operation written, read;
        const char *problem;
        char line[512] = "";
        generate_next(&generator, &written);
        FILE *file = fmemopen(line, sizeof(line), "w");
        operation_print(&written, file);
        fclose(file);
        assert_true(operation_parse(line, &read, &problem));
        assert_memory_equal(&written, &read, sizeof(read));
    }
}

static void assert_refused(const char *line, const char *expected)
{
    struct operation operation;
    const char *problem = NULL;
    assert_false(operation_parse(line, &operation, &problem));
    assert_string_equal(problem, expected);
}

static void test_operation_parse_says_which_word(void **state)
{
    (void)state;
    assert_refused("dance page=1", "dance");
    assert_refused("", "nothing");
    assert_refused("unmap page", "page");
    assert_refused("unmap colour=3", "colour");
    assert_refused("unmap page=32", "page");
    assert_refused("unmap page=-1", "page");
    assert_refused("unmap page=1x", "page");
    assert_refused("unmap space=4", "space");
    assert_refused("unmap twist=hard", "twist");
}

static void test_operation_clamp_makes_anything_an_operation(void **state)
{
    (void)state;
    struct operation operation, again;
    memset(&operation, 0xff, sizeof(operation));
    operation_clamp(&operation);
    again = operation;
    operation_clamp(&again);
    assert_memory_equal(&operation, &again, sizeof(again));
    assert_true(operation.kind < OPERATION_KINDS && operation.space < SPACES);
}

static void test_record_save_and_load_a_trace(void **state)
{
    (void)state;
    struct record saved = {.way = {.cpus = 3,
                                   .seed = 77,
                                   .failing = true,
                                   .class = SIM_FAIL_TABLE,
                                   .n = 4,
                                   .forever = true,
                                   .check_every = 9,
                                   .on_linux = true}};
    static struct record loaded;
    const char *problem;
    unsigned line;
    trace_generate(&saved.trace, 8, GENERATE_ALL, 30);
    assert_true(record_save(path, &saved, "two\nlines"));
    assert_true(record_load(path, &loaded, &problem, &line));
    assert_null(loaded.scenario);
    assert_int_equal(loaded.trace.count, 30);
    assert_memory_equal(loaded.trace.operation, saved.trace.operation,
                        30 * sizeof(struct operation));
    assert_int_equal(loaded.way.cpus, 3);
    assert_int_equal(loaded.way.seed, 77);
    assert_true(loaded.way.failing && loaded.way.forever);
    assert_int_equal(loaded.way.class, SIM_FAIL_TABLE);
    assert_int_equal(loaded.way.n, 4);
    assert_int_equal(loaded.way.check_every, 9);
    assert_true(loaded.way.on_linux);
    record_free(&saved);
    record_free(&loaded);
}

static void test_record_save_and_load_a_schedule(void **state)
{
    (void)state;
    static struct record saved, loaded;
    const char *problem;
    unsigned line;
    saved.scenario = scenario_by_name("fault-against-fault");
    saved.schedule =
        (struct schedule){.kind = SCHEDULE_CHOSEN, .hostility = 5, .decision_count = 2};
    saved.schedule.decisions[0] = (struct decision){7, 3};
    saved.schedule.decisions[1] = (struct decision){9, 2};
    saved.failure = (struct scenario_failure){SIM_FAIL_STORE_READ, 2, true};
    assert_true(record_save(path, &saved, ""));
    assert_true(record_load(path, &loaded, &problem, &line));
    assert_ptr_equal(loaded.scenario, saved.scenario);
    assert_int_equal(loaded.schedule.hostility, 5);
    assert_int_equal(loaded.schedule.decision_count, 2);
    assert_int_equal(loaded.schedule.decisions[1].at, 9);
    assert_int_equal(loaded.schedule.decisions[1].fiber, 2);
    assert_int_equal(loaded.failure.class, SIM_FAIL_STORE_READ);
    assert_int_equal(loaded.failure.n, 2);
    char text[256];
    assert_true(record_run(&loaded, 60, text, sizeof(text)));
    record_free(&loaded);
}

static void assert_bad_file(const char *contents, unsigned expected)
{
    static struct record record;
    const char *problem = NULL;
    unsigned line;
    put(contents);
    assert_false(record_load(path, &record, &problem, &line));
    assert_non_null(problem);
    assert_int_equal(line, expected);
    record_free(&record);
}

#define HEAD "trace cpus=2 seed=0 failing=0 n=0 forever=0 check=1 class=any\n"
#define SCHEDULE_HEAD "schedule scenario=fault-against-fault hostility=1 n=0 forever=0 class=any\n"

static void test_record_load_says_where(void **state)
{
    (void)state;
    static struct record record;
    const char *problem;
    unsigned line;
    assert_bad_file("", 0);
    assert_bad_file("# only words\n", 1);
    assert_bad_file("unmap page=1\n", 1);
    assert_bad_file("trace cpus=2 seed=0 failing=0 n=0 forever=0 check=1 class=luck\n", 1);
    assert_bad_file("# one\n" HEAD "unmap page=1\nunmap page=99\n", 4);
    assert_bad_file("schedule scenario=none hostility=1 n=0 forever=0 class=any\n", 1);
    assert_bad_file(SCHEDULE_HEAD "decision at=1\n", 2);
    assert_false(record_load("/nowhere/at/all", &record, &problem, &line));
    assert_string_equal(problem, strerror(ENOENT));
    assert_int_equal(line, 0);
}

static int make_path(void **state)
{
    (void)state;
    int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operation_print_is_what_operation_parse_reads),
        cmocka_unit_test(test_operation_parse_says_which_word),
        cmocka_unit_test(test_operation_clamp_makes_anything_an_operation),
        cmocka_unit_test(test_record_save_and_load_a_trace),
        cmocka_unit_test(test_record_save_and_load_a_schedule),
        cmocka_unit_test(test_record_load_says_where),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
