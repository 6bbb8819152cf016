/* SPDX-License-Identifier: MIT */
/* What others do to the file of a store, or to its descriptor, while it is used. */
#define _GNU_SOURCE
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES 16

/* ---- cut ---- */

/* The first read already, not the second: what is there still isn't behind the end. */
static void test_the_page_at_a_new_end_can_be_read(void **state)
{
    (void)state;
    for (unsigned flags = WRITABLE; flags <= (WRITABLE | NO_RING); flags += NO_RING) {
        size_t done;
        open_all(8 * PAGE, flags);
        assert_int_equal(ftruncate(file, 4 * PAGE + 7), 0);
        OK(read_pages(4, 1, &done));
        assert_int_equal(done, 7);
        assert_int_equal(((uint8_t *)host_frame_ptr(frames[0]))[6], (4 * PAGE + 6) % 251);
        assert_int_equal(ftruncate(file, 3 * PAGE + 100), 0);
        OK(read_pages(0, 4, &done));
        assert_int_equal(done, 3 * PAGE + 100);
        assert_int_equal(ftruncate(file, PAGE), 0);
        assert_int_equal(read_pages(1, 1, &done), ERR_VM_PF_PAST_END);
        assert_int_equal(done, 0);
        assert_int_equal(read_pages(0, 2, &done), VM_OK); /* the end is known by now */
        assert_int_equal(done, PAGE);
        end();
    }
}

static void test_the_page_at_a_new_end_can_be_written(void **state)
{
    size_t done;
    uint8_t bytes[8];
    (void)state;
    open_all(8 * PAGE, WRITABLE);
    for (size_t i = 0; i < 3; i++)
        memset(host_frame_ptr(frames[i]), 0xee, PAGE);
    assert_int_equal(ftruncate(file, 4 * PAGE + 7), 0);
    OK(write_pages(3, 2, &done));
    assert_int_equal(done, PAGE + 7);
    assert_int_equal(file_size(), 4 * PAGE + 7);
    assert_int_equal(pread(file, bytes, 8, PAGES(4)), 7);
    assert_true(bytes[0] == 0xee && bytes[6] == 0xee);
    assert_int_equal(ftruncate(file, 2 * PAGE + 3), 0);
    assert_int_equal(write_pages(2, 2, &done), ERR_VM_PF_PAST_END); /* one isn't there at all */
    assert_int_equal(file_size(), 2 * PAGE + 3);
    end();
}

static void test_a_file_that_gets_longer_keeps_its_length_here(void **state)
{
    size_t done;
    (void)state;
    open_all(2 * PAGE + 100, WRITABLE);
    assert_int_equal(ftruncate(file, 6 * PAGE), 0);
    assert_int_equal(store->ops->size(store), 2 * PAGE + 100);
    OK(read_pages(2, 1, &done));
    assert_int_equal(done, 100);
    memset(host_frame_ptr(frames[0]), 0xee, PAGE);
    OK(write_pages(2, 1, &done));
    assert_int_equal(done, 100);
    uint8_t behind = 1;
    assert_int_equal(pread(file, &behind, 1, 2 * PAGE + 100), 1);
    assert_int_equal(behind, 0);
    assert_int_equal(read_pages(3, 1, &done), ERR_VM_PF_PAST_END);
    assert_int_equal(write_pages(3, 1, &done), ERR_VM_PF_PAST_END);
    end();
}

/* ---- its descriptor ---- */

/* The flag is that of the descriptor which the store was given, too. */
static void test_a_file_that_is_appended_to_from_now_on_is_not_written(void **state)
{
    size_t done;
    struct vm_store_file_info info;
    (void)state;
    open_all(4 * PAGE, WRITABLE);
    int mode = fcntl(file, F_GETFL);
    assert_int_equal(fcntl(file, F_SETFL, mode | O_APPEND), 0);
    memset(host_frame_ptr(frames[0]), 0xee, PAGE);
    assert_int_equal(write_pages(1, 1, &done), ERR_IO);
    assert_int_equal(done, 0);
    vm_store_file_info(store, &info);
    assert_int_equal(info.last_errno, EINVAL);
    assert_int_equal(file_size(), 4 * PAGE);
    OK(read_pages(1, 1, &done));
    assert_int_equal(*(uint8_t *)host_frame_ptr(frames[0]), PAGE % 251);
    assert_int_equal(fcntl(file, F_SETFL, mode), 0);
    OK(write_pages(1, 1, &done));
    assert_int_equal(file_size(), 4 * PAGE);
    end();
}

/* ---- processes ---- */

static void read_and_check(void)
{
    size_t done;
    OK(read_pages(3, FRAMES, &done));
    for (size_t i = 0; i < FRAMES * PAGE; i++)
        assert_int_equal(((uint8_t *)host_frame_ptr(frames[i / PAGE]))[i % PAGE],
                         (3 * PAGE + i) % 251);
}

/* A store made before a fork is both processes'; the memory of its ring is one for both. */
static void test_a_child_leaves_the_ring_alone(void **state)
{
    int status;
    struct vm_store_file_info info;
    (void)state;
    open_all(64 * PAGE, 0);
    vm_store_file_info(store, &info);
    faults_wait(true);
    faults_at("io_uring_submit", 0, false, 0);
    read_and_check();
    assert_int_equal(faults_seen(), info.ring);
    pid_t pid = fork();
    if (pid == 0) {
        read_and_check();
        _exit((int)faults_seen() - info.ring);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    read_and_check();
    assert_int_equal(faults_seen(), 2 * info.ring);
    faults_wait(false);
    faults_none();
    faults_wait(false);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_page_at_a_new_end_can_be_read),
        cmocka_unit_test(test_the_page_at_a_new_end_can_be_written),
        cmocka_unit_test(test_a_file_that_gets_longer_keeps_its_length_here),
        cmocka_unit_test(test_a_file_that_is_appended_to_from_now_on_is_not_written),
        cmocka_unit_test(test_a_child_leaves_the_ring_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
