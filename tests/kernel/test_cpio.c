/* SPDX-License-Identifier: MIT */
/* The archive reader: whole archives, and every way in which one can be broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "archive.h"
#include "fs/cpio.h"

static int start(void **state)
{
    (void)state;
    archive_clear();
    return 0;
}

/* How many entries an archive has, or -1 with a sentence. A copy of exactly its size is read, so that
 * a checker of addresses sees every byte beyond. */
static int count(size_t size, const char **problem)
{
    struct cpio_reader reader;
    struct cpio_entry entry;
    uint8_t *copy = malloc(size + 1);
    int result, entries = 0;
    assert_non_null(copy);
    memcpy(copy, archive, size);
    uint8_t *exact = realloc(copy, size != 0 ? size : 1);
    assert_non_null(exact);
    cpio_open(&reader, exact, size);
    while ((result = cpio_next(&reader, &entry)) > 0) {
        entries++;
        assert_true(entry.data >= exact && entry.data + entry.size <= exact + size);
        assert_int_equal(entry.name[entry.name_length], 0);
    }
    free(exact);
    assert_true((result < 0) == (reader.problem != NULL));
    *problem = reader.problem;
    return result < 0 ? -1 : entries;
}

static void expect_problem(const char *part)
{
    const char *problem;
    assert_int_equal(count(used, &problem), -1);
    assert_non_null(strstr(problem, part));
}

static void test_whole(void **state)
{
    struct cpio_reader reader;
    struct cpio_entry entry;
    (void)state;
    archive_add(".", 040755, "", 0);
    archive_add("/etc/motd", 0100644, "hello", 5);
    archive_end();
    cpio_open(&reader, archive, used);
    assert_int_equal(cpio_next(&reader, &entry), 1);
    assert_string_equal(entry.name, ".");
    assert_int_equal(cpio_next(&reader, &entry), 1);
    assert_string_equal(entry.name, "etc/motd");
    assert_int_equal(entry.size, 5);
    assert_memory_equal(entry.data, "hello", 5);
    assert_int_equal(entry.mode, 0100644);
    assert_int_equal(entry.uid, 1);
    assert_int_equal(entry.gid, 2);
    assert_int_equal(entry.modified, 1000);
    assert_int_equal(entry.special_major, 1);
    assert_int_equal(entry.special_minor, 3);
    assert_int_equal(cpio_next(&reader, &entry), 0);
}

static void test_truncated_anywhere(void **state)
{
    const char *problem;
    (void)state;
    archive_add("bin", 040755, "", 0);
    archive_add("bin/program", 0100755, "0123456789", 10);
    size_t whole = used;
    archive_end();
    assert_int_equal(count(used, &problem), 2);
    for (size_t size = 0; size < whole; size++)
        assert_int_equal(count(size, &problem), -1);
}

static void test_no_archive(void **state)
{
    const char *problem;
    (void)state;
    assert_int_equal(count(0, &problem), -1);
    memset(archive, 'x', 1000);
    used = 1000;
    expect_problem("newc");
}

static void test_old_formats(void **state)
{
    (void)state;
    archive_add("file", 0100644, "", 0);
    archive[5] = '7'; /* "odc" */
    expect_problem("newc");
}

static void test_bad_digits(void **state)
{
    const char *problem;
    (void)state;
    archive_add("file", 0100644, "data", 4);
    archive_end();
    for (size_t i = 6; i < HEADER; i++) {
        uint8_t old = archive[i];
        archive[i] = 'g';
        assert_int_equal(count(used, &problem), -1);
        archive[i] = old;
    }
    assert_int_equal(count(used, &problem), 1);
}

static void test_sizes_past_the_end(void **state)
{
    static const char *const sizes[] = {"ffffffff", "7fffffff", "00010000", "fffffffc"};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        start(NULL);
        archive_add("file", 0100644, "data", 4);
        memcpy(archive + FILE_SIZE_AT, sizes[i], 8);
        expect_problem("middle of a file");
        start(NULL);
        archive_add("file", 0100644, "data", 4);
        memcpy(archive + NAME_SIZE_AT, sizes[i], 8);
        expect_problem("middle of a name");
    }
}

static void test_names(void **state)
{
    static char long_part[302], long_name[5000];
    static const struct {
        const char *name, *problem;
    } cases[] = {
        {"..", "leads out"},       {"../etc/passwd", "leads out"},
        {"a/../b", "leads out"},   {"a/..", "leads out"},
        {"/..", "leads out"},      {long_part, "255 bytes"},
        {long_name, "4095 bytes"}, {"", "empty"},
    };
    (void)state;
    memset(long_part, 'n', 300);
    for (size_t i = 0; i < sizeof(long_name) - 1; i++)
        long_name[i] = i % 100 == 99 ? '/' : 'n';
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start(NULL);
        archive_add(cases[i].name, 0100644, "", 0);
        expect_problem(cases[i].problem);
    }
}

static void test_names_that_look_bad(void **state)
{
    const char *problem;
    (void)state;
    archive_add("...", 0100644, "", 0);
    archive_add("a..b/..c", 0100644, "", 0);
    archive_add("///slashes//in///it/", 040755, "", 0);
    archive_add("TRAILER!!", 0100644, "", 0);
    archive_end();
    assert_int_equal(count(used, &problem), 4);
}

static void test_name_without_end(void **state)
{
    (void)state;
    archive_add("file", 0100644, "", 0);
    archive[HEADER + 4] = 'x';
    expect_problem("no end");
    start(NULL);
    archive_add("fi!e", 0100644, "", 0);
    archive[HEADER + 2] = '\0';
    expect_problem("NUL");
}

/* Whatever byte is changed: an answer, and no byte read that isn't there. */
static void test_any_byte_changed(void **state)
{
    const char *problem;
    (void)state;
    archive_add("bin", 040755, "", 0);
    archive_add("bin/program", 0100755, "0123456789", 10);
    archive_end();
    for (size_t i = 0; i < used; i++) {
        uint8_t old = archive[i];
        for (unsigned value = 0; value < 256; value += 3) {
            archive[i] = (uint8_t)value;
            assert_in_range(count(used, &problem) + 1, 0, 4);
        }
        archive[i] = old;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_whole, start),
        cmocka_unit_test_setup(test_truncated_anywhere, start),
        cmocka_unit_test_setup(test_no_archive, start),
        cmocka_unit_test_setup(test_old_formats, start),
        cmocka_unit_test_setup(test_bad_digits, start),
        cmocka_unit_test_setup(test_sizes_past_the_end, start),
        cmocka_unit_test_setup(test_names, start),
        cmocka_unit_test_setup(test_names_that_look_bad, start),
        cmocka_unit_test_setup(test_name_without_end, start),
        cmocka_unit_test_setup(test_any_byte_changed, start),
    };
    return cmocka_run_group_tests_name("cpio", tests, NULL, NULL);
}
