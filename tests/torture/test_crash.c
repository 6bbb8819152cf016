/* SPDX-License-Identifier: MIT */
/* What a machine that stops must notice, and what it must not: disks that lose, tear or keep back what they
 * said was written, beside one that doesn't. */
#include "support.h"

#include <crash.h>
#include <pressure.h>
#include <record.h>
#include <string.h>

#define SEEDS 8

/* How many of the seeds' runs, each stopped at one write after the other, go wrong. */
static unsigned count_failures(enum sim_disk disk, char *text, size_t room)
{
    unsigned failures = 0;
    static struct crash_outcome outcome;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct crash_way way = {.seed = seed, .disk = disk};
        do
            way.at++;
        while (crash_run(&way, &outcome) && outcome.stopped);
        failures += outcome.failed;
        if (outcome.failed)
            snprintf(text, room, "%s", outcome.text);
    }
    return failures;
}

static void test_crash_run_of_a_sound_disk(void **state)
{
    char text[1024] = "";
    (void)state;
    if (count_failures(SIM_DISK_SOUND, text, sizeof(text)) != 0)
        fail_msg("%s", text);
}

static void test_crash_run_notices_a_disk_that_loses(void **state)
{
    char text[1024] = "";
    (void)state;
    assert_int_equal(count_failures(SIM_DISK_LOSES, text, sizeof(text)), SEEDS);
    assert_non_null(strstr(text, "was confirmed"));
}

static void test_crash_run_notices_a_disk_that_is_late(void **state)
{
    char text[1024] = "";
    (void)state;
    assert_true(count_failures(SIM_DISK_LATE, text, sizeof(text)) > SEEDS / 2);
    assert_non_null(strstr(text, "was confirmed"));
}

static void test_crash_run_notices_a_disk_that_tears(void **state)
{
    char text[1024] = "";
    (void)state;
    assert_int_equal(count_failures(SIM_DISK_TEARS, text, sizeof(text)), SEEDS);
}

/* A stop in the middle of a write, some of whose pages are there. */
static void test_sim_stop_at_write_in_the_middle(void **state)
{
    static struct crash_outcome outcome;
    (void)state;
    for (unsigned at = 1; at < 30; at++) {
        assert_true(crash_run(&(struct crash_way){.seed = 5, .at = at}, &outcome));
        assert_true(outcome.stopped);
        assert_int_equal(sim_pages_written(), at);
    }
    assert_true(crash_run(&(struct crash_way){.seed = 5}, &outcome));
    assert_false(outcome.stopped);
    assert_true(outcome.pages >= 30);
}

static void test_crash_run_repeats(void **state)
{
    static struct crash_outcome one, other;
    (void)state;
    assert_true(crash_run(&(struct crash_way){.seed = 3, .at = 20}, &one));
    assert_true(crash_run(&(struct crash_way){.seed = 3, .at = 20}, &other));
    assert_int_equal(one.confirmed, other.confirmed);
    assert_int_equal(one.outdone, other.outdone);
}

static void test_pressure_run(void **state)
{
    static struct pressure_outcome outcome;
    (void)state;
    if (!pressure_run(1, &outcome))
        fail_msg("%s", outcome.text);
    assert_true(outcome.verified > 1000 && outcome.swap_ins > 1000 && outcome.swap_outs > 1000);
}

static void test_record_of_others(void **state)
{
    static struct record record = {.other = RECORD_CRASH, .seed = 7, .crash_at = 9}, loaded;
    const char *path = "crash-test.trace", *problem;
    unsigned line;
    char text[1024];
    (void)state;
    assert_true(record_save(path, &record, "a comment"));
    assert_true(record_load(path, &loaded, &problem, &line));
    assert_int_equal(loaded.other, RECORD_CRASH);
    assert_int_equal(loaded.seed, 7);
    assert_int_equal(loaded.crash_at, 9);
    assert_true(record_run(&loaded, 20, text, sizeof(text)));
    record.other = RECORD_PRESSURE;
    assert_true(record_save(path, &record, ""));
    assert_true(record_load(path, &loaded, &problem, &line));
    assert_int_equal(loaded.other, RECORD_PRESSURE);
    assert_int_equal(loaded.seed, 7);
    assert_true(record_run(&loaded, 60, text, sizeof(text)));
    FILE *file = fopen(path, "a");
    fputs("unmap page=1\n", file);
    fclose(file);
    assert_false(record_load(path, &loaded, &problem, &line));
    assert_int_equal(line, 2);
    (void)remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_run_of_a_sound_disk),
        cmocka_unit_test(test_crash_run_notices_a_disk_that_loses),
        cmocka_unit_test(test_crash_run_notices_a_disk_that_is_late),
        cmocka_unit_test(test_crash_run_notices_a_disk_that_tears),
        cmocka_unit_test(test_sim_stop_at_write_in_the_middle),
        cmocka_unit_test(test_crash_run_repeats),
        cmocka_unit_test(test_pressure_run),
        cmocka_unit_test(test_record_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
