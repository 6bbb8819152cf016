/* SPDX-License-Identifier: MIT */
/* The store over a file. */
#define _GNU_SOURCE
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The store's bytes [from, from + done) are in the frames. */
static void assert_file_bytes(off_t in_file, size_t done)
{
    for (size_t i = 0; i < done; i++) {
        const uint8_t *frame = host_frame_ptr(frames[i / PAGE]);
        assert_int_equal(frame[i % PAGE], ((size_t)in_file + i) % 251);
    }
}

static void test_reads_any_part_with_and_without_a_ring(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags <= NO_RING; flags += NO_RING) {
        size_t done;
        open_part(38 * PAGE + 100, flags, 1234, 0);
        assert_int_equal(store->ops->size(store), 38 * PAGE + 100 - 1234);
        OK(read_pages(0, 38, &done));
        assert_int_equal(done, 38 * PAGE + 100 - 1234);
        assert_file_bytes(1234, done);
        OK(read_pages(3, 17, &done));
        assert_int_equal(done, 17 * PAGE);
        assert_file_bytes(PAGES(3) + 1234, done);
        end();
    }
}

static void test_the_last_page_is_partial(void **state)
{
    size_t done;
    (void)state;
    open_part(3 * PAGE, WRITABLE, 0, 2 * PAGE + 10);
    assert_true(store->ops->has_page(store, PAGES(2)));
    assert_false(store->ops->has_page(store, PAGES(3)));
    OK(read_pages(1, 5, &done));
    assert_int_equal(done, PAGE + 10);
    assert_file_bytes(PAGES(1), done);
    memset(host_frame_ptr(frames[0]), 0xee, PAGE);
    OK(write_pages(2, 1, &done));
    assert_int_equal(done, 10);
    uint8_t behind[20];
    assert_int_equal(pread(file, behind, 20, PAGES(2)), 20);
    assert_int_equal(behind[9], 0xee);
    assert_int_equal(behind[10], (2 * PAGE + 10) % 251);
    assert_int_equal(file_size(), 3 * PAGE);
    assert_int_equal(read_pages(3, 1, &done), ERR_VM_PF_PAST_END);
    assert_int_equal(write_pages(3, 1, &done), ERR_VM_PF_PAST_END);
    end();
}

static void test_offsets_that_are_none(void **state)
{
    size_t done = 1;
    (void)state;
    open_part(3 * PAGE, WRITABLE, 0, 0);
    assert_int_equal(store->ops->read(store, 1, frames, 1, &done), ERR_INVALID_ARGS);
    assert_int_equal(store->ops->write(store, -PAGES(1), frames, 1, &done), ERR_INVALID_ARGS);
    assert_int_equal(store->ops->read(store, 0, frames, 0, &done), ERR_INVALID_ARGS);
    assert_int_equal(done, 0);
    assert_false(store->ops->has_page(store, -PAGES(1)));
    assert_int_equal(read_pages(INT64_MAX / PAGE, 1, &done), ERR_VM_PF_PAST_END);
    end();
}

static void test_read_only_is_read_only(void **state)
{
    size_t done;
    (void)state;
    open_part(3 * PAGE, 0, 0, 0);
    assert_int_equal(write_pages(0, 1, &done), ERR_PERMISSION_DENIED);
    assert_int_equal(done, 0);
    assert_int_equal(store->ops->commit(store, PAGES(1)), ERR_PERMISSION_DENIED);
    OK(store->ops->commit(store, 0));
    end();
    open_part(3 * PAGE, WRITABLE, 0, 0);
    OK(store->ops->commit(store, PAGES(3)));
    end();
}

static void test_a_file_cut_under_us_is_an_error(void **state)
{
    size_t done;
    struct vm_store_file_info info;
    (void)state;
    for (unsigned flags = WRITABLE; flags <= (WRITABLE | NO_RING); flags += NO_RING) {
        open_part(8 * PAGE, flags, PAGE, 0);
        assert_int_equal(ftruncate(file, 4 * PAGE + 7), 0);
        assert_int_equal(read_pages(2, 4, &done), ERR_VM_PF_PAST_END);
        assert_int_equal(done, PAGE + 7);
        assert_int_equal(store->ops->size(store), 3 * PAGE + 7);
        assert_true(store->ops->has_page(store, PAGES(3)));
        assert_false(store->ops->has_page(store, PAGES(4)));
        OK(read_pages(2, 4, &done));
        assert_file_bytes(PAGES(3), done);
        assert_int_equal(read_pages(4, 1, &done), ERR_VM_PF_PAST_END);
        /* Writing finds it before, and makes nothing longer. */
        assert_int_equal(ftruncate(file, 2 * PAGE), 0);
        assert_int_equal(write_pages(1, 1, &done), ERR_VM_PF_PAST_END);
        assert_int_equal(write_pages(1, 2, &done), ERR_VM_PF_PAST_END);
        assert_int_equal(file_size(), 2 * PAGE);
        OK(write_pages(0, 1, &done));
        assert_int_equal(ftruncate(file, 0), 0);
        assert_int_equal(read_pages(0, 1, &done), ERR_VM_PF_PAST_END);
        vm_store_file_info(store, &info);
        assert_int_equal(info.length, 0);
        /* It stays so, even if the file comes back. */
        assert_int_equal(ftruncate(file, 8 * PAGE), 0);
        assert_int_equal(read_pages(0, 1, &done), ERR_VM_PF_PAST_END);
        end();
    }
}

static void test_short_transfers_go_on(void **state)
{
    size_t done;
    (void)state;
    open_part(20 * PAGE + 5, WRITABLE | NO_RING, 3, 0);
    faults_shorten(1000);
    OK(read_pages(0, 21, &done));
    assert_file_bytes(3, done);
    for (size_t i = 0; i < 21; i++)
        memset(host_frame_ptr(frames[i]), (int)i + 1, PAGE);
    OK(write_pages(0, 21, &done));
    assert_int_equal(done, 20 * PAGE + 2);
    faults_shorten(0);
    for (size_t i = 0; i < 21; i++)
        memset(host_frame_ptr(frames[i]), 0, PAGE);
    OK(read_pages(0, 21, &done));
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(((uint8_t *)host_frame_ptr(frames[i]))[4095], i + 1);
    assert_int_equal(*(uint8_t *)host_frame_ptr(frames[20]), 21);
    end();
}

static void test_interrupted_calls_go_on(void **state)
{
    size_t done;
    (void)state;
    open_part(20 * PAGE, WRITABLE, 0, 0);
    faults_at("preadv", 1, false, EINTR);
    OK(read_pages(0, 1, &done));
    assert_int_equal(faults_seen(), 2);
    assert_file_bytes(0, done);
    faults_at("pwritev", 1, false, EINTR);
    OK(write_pages(0, 1, &done));
    assert_int_equal(faults_seen(), 2);
    faults_at("fdatasync", 1, false, EINTR);
    OK(vm_store_file_sync(store));
    assert_int_equal(faults_seen(), 2);
    faults_at("io_uring_submit", 1, false, EINTR);
    OK(read_pages(0, 16, &done));
    assert_file_bytes(0, done);
    end();
}

static void test_errors_are_io_and_told(void **state)
{
    size_t done;
    struct vm_store_file_info info;
    (void)state;
    open_part(280 * PAGE, WRITABLE | NO_RING, 0, 0);
    vm_store_file_info(store, &info);
    assert_int_equal(info.last_errno, 0);
    assert_false(info.ring);
    faults_at("preadv", 2, false, EIO);
    assert_int_equal(read_pages(0, 280, &done), ERR_IO);
    assert_int_equal(done, 128 * PAGE);
    vm_store_file_info(store, &info);
    assert_int_equal(info.last_errno, EIO);
    faults_at("pwritev", 3, false, ENOSPC);
    assert_int_equal(write_pages(0, 280, &done), ERR_IO);
    assert_int_equal(done, 256 * PAGE);
    vm_store_file_info(store, &info);
    assert_int_equal(info.last_errno, ENOSPC);
    faults_at("pwritev", 1, false, 0); /* it writes nothing, and says nothing */
    assert_int_equal(write_pages(0, 1, &done), ERR_IO);
    faults_at("fstat", 1, false, EIO);
    assert_int_equal(write_pages(0, 1, &done), ERR_IO);
    faults_at("fdatasync", 1, false, EIO);
    assert_int_equal(vm_store_file_sync(store), ERR_IO);
    OK(vm_store_file_sync(store));
    faults_none();
    OK(read_pages(0, 140, &done));
    assert_file_bytes(0, 64 * PAGE); /* the rest was written as it came */
    assert_int_equal(ftruncate(file, 0), 0);
    faults_at("fstat", 1, false, EIO); /* what is missing can't be explained */
    assert_int_equal(read_pages(0, 1, &done), ERR_IO);
    end();
}

/* Whatever the ring does, the reads are whole. */
static void test_a_ring_that_fails(void **state)
{
    size_t done;
    struct vm_store_file_info info;
    (void)state;
    faults_at("io_uring_queue_init", 1, false, EPERM);
    open_part(20 * PAGE, 0, 0, 0);
    faults_none();
    vm_store_file_info(store, &info);
    assert_false(info.ring);
    OK(read_pages(0, 20, &done));
    end();
    open_part(20 * PAGE, 0, 0, 0);
    vm_store_file_info(store, &info);
    if (!info.ring)
        print_message("no io_uring here\n");
    faults_wait(true);
    faults_at("io_uring_submit", 1, false, ENOMEM);
    for (unsigned i = 0; i < 3; i++) {
        OK(read_pages(0, 2, &done));
        assert_file_bytes(0, done);
    }
    assert_true(faults_seen() <= 1); /* it isn't used any more: old requests are in it */
    end();
    for (int number = 0; number <= EIO; number += EIO) {
        open_part(20 * PAGE, 0, 0, 0);
        faults_wait(true);
        faults_at("io_uring_sqe", 1, false, number);
        OK(read_pages(0, 16, &done));
        assert_int_equal(done, 16 * PAGE);
        assert_file_bytes(0, done);
        assert_true(faults_seen() == 1 || !info.ring);
        end();
    }
}

/* The ring gets what would have to be waited for, and nothing else. */
static void test_what_is_in_memory_is_not_read_by_the_ring(void **state)
{
    size_t done;
    struct vm_store_file_info info;
    (void)state;
    open_part(20 * PAGE, 0, 0, 0);
    vm_store_file_info(store, &info);
    for (unsigned wait = 0; wait < 2; wait++) {
        faults_wait(wait != 0);
        faults_at("io_uring_submit", 1000, false, EIO);
        OK(read_pages(0, 16, &done));
        assert_int_equal(done, 16 * PAGE);
        assert_file_bytes(0, done);
        assert_int_equal(faults_seen(), info.ring ? wait : 0);
    }
    end();
}

/* A long one is read ahead, and nobody waits for it: one request, in the thread that reads. */
static void test_a_long_read_is_not_the_rings(void **state)
{
    size_t done;
    (void)state;
    open_part(20 * PAGE, 0, 0, 0);
    faults_wait(true);
    faults_at("io_uring_submit", 1000, false, EIO);
    OK(read_pages(0, 20, &done));
    assert_int_equal(done, 20 * PAGE);
    assert_file_bytes(0, done);
    assert_int_equal(faults_seen(), 0);
    end();
}

/* Where the file system can't say that it would wait (tmpfs). */
static void test_no_ring_where_each_read_would_be_a_threads(void **state)
{
    size_t done;
    struct vm_store_file_info info;
    (void)state;
    faults_at("preadv2", 1, true, EOPNOTSUPP);
    open_part(20 * PAGE, 0, 0, 0);
    vm_store_file_info(store, &info);
    assert_false(info.ring);
    OK(read_pages(0, 20, &done));
    assert_file_bytes(0, done);
    assert_int_equal(faults_seen(), 1);
    end();
}

/* ---- beginning ---- */

static int try(const char *path, int descriptor, unsigned flags, off_t offset, off_t length)
{
    struct vm_store_file_options options = {path, descriptor, flags, offset, length};
    vm_store *made = NULL;
    int error = vm_store_create_file(&options, &made);
    assert_int_equal(made != NULL, error == VM_OK);
    if (made)
        store_end(made);
    return error;
}

static void test_vm_store_create_file_refuses(void **state)
{
    vm_store *made;
    int to_append = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600), ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    file = temporary_file();
    assert_int_equal(ftruncate(file, 100), 0);
    assert_int_equal(vm_store_create_file(NULL, &made), ERR_INVALID_ARGS);
    assert_int_equal(vm_store_create_file(&(struct vm_store_file_options){.path = "x"}, NULL),
                     ERR_INVALID_ARGS);
    assert_int_equal(try("/nowhere/at/all", 0, 0, 0, 0), ERR_NOT_FOUND);
    assert_int_equal(try("/", 0, 0, 0, 0), ERR_INVALID_ARGS);
    assert_int_equal(try("/dev/zero", 0, 0, 0, 0), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, -1, 0, 0, 0), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, ends[0], 0, 0, 0), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, ends[1], 0, 0, 0), ERR_PERMISSION_DENIED);
    assert_int_equal(try(NULL, ends[0], WRITABLE, 0, 0), ERR_PERMISSION_DENIED);
    assert_int_equal(try(NULL, file, 0x80, 0, 0), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, file, 0, -1, 0), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, file, 0, 0, -1), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, file, 0, INT64_MAX, INT64_MAX), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, file, 0, 0, 101), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, file, 0, 100, 0), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, file, VM_STORE_FILE_CREATE, 0, 1), ERR_INVALID_ARGS);
    assert_int_equal(try(NULL, file, VM_STORE_FILE_CREATE | WRITABLE, 0, 0), ERR_INVALID_ARGS);
    if (to_append >= 0) {
        assert_int_equal(ftruncate(to_append, 100), 0);
        assert_int_equal(try(NULL, to_append, WRITABLE, 0, 0), ERR_INVALID_ARGS);
        OK(try(NULL, to_append, 0, 0, 0));
        close(to_append);
    }
    OK(try(NULL, file, WRITABLE, 99, 1));
    close(file);
    close(ends[0]);
    close(ends[1]);
}

static void test_create_makes_the_file_long_enough(void **state)
{
    char folder[] = "quire-store-XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/swap", folder);
    assert_int_equal(try(path, 0, WRITABLE, 0, 0), ERR_NOT_FOUND);
    OK(try(path, 0, WRITABLE | VM_STORE_FILE_CREATE, 100, 5000));
    file = open(path, O_RDONLY);
    assert_int_equal(file_size(), 5100);
    OK(try(path, 0, WRITABLE | VM_STORE_FILE_CREATE, 0, 50)); /* never shorter */
    assert_int_equal(file_size(), 5100);
    close(file);
    unlink(path);
    rmdir(folder);
}

static bool has(size_t page)
{
    return store->ops->has_page(store, PAGES(page));
}

/* The file's 5,000 bytes and 100 pages that creation adds to them. */
static void test_what_creation_adds_is_there_once_it_is_written(void **state)
{
    struct vm_store_file_options options = {
        .flags = WRITABLE | VM_STORE_FILE_CREATE, .offset = 1000, .length = PAGES(101)};
    size_t done;
    (void)state;
    open_part(5000, WRITABLE, 0, 0);
    store_end(store);
    options.descriptor = file;
    OK(vm_store_create_file(&options, &store));
    assert_true(has(0));  /* bytes 1,000 to 5,095, of which some were there */
    assert_false(has(1)); /* none was */
    assert_false(has(100) || has(101));
    OK(write_pages(70, 3, &done));
    assert_true(!has(69) && has(70) && has(71) && has(72) && !has(73));
    OK(read_pages(1, 1, &done));
    assert_int_equal(done, PAGE);
    faults_at("pwritev", 1, true, EIO);
    assert_int_equal(write_pages(5, 1, &done), ERR_IO);
    faults_none();
    assert_true(has(5)); /* who knows what is there */
    end();
}

static void test_what_creation_adds_may_be_cut_off(void **state)
{
    struct vm_store_file_options options = {.flags = WRITABLE | VM_STORE_FILE_CREATE,
                                            .length = PAGES(10)};
    size_t done;
    (void)state;
    open_part(1, WRITABLE, 0, 0);
    store_end(store);
    options.descriptor = file;
    OK(vm_store_create_file(&options, &store));
    OK(write_pages(8, 1, &done));
    assert_int_equal(ftruncate(file, PAGES(4)), 0);
    assert_int_equal(write_pages(7, 1, &done), ERR_VM_PF_PAST_END);
    assert_int_equal(store->ops->size(store), PAGES(4));
    assert_false(has(7) || has(8));
    assert_false(has(3));
    OK(write_pages(3, 1, &done));
    assert_true(has(3));
    end();
}

static void test_each_call_of_the_beginning_can_fail(void **state)
{
    static const struct {
        const char *name;
        int number, expected;
    } cases[] = {
        {"calloc", ENOMEM, ERR_NO_MEMORY},
        {"open", EACCES, ERR_PERMISSION_DENIED},
        {"open", EROFS, ERR_PERMISSION_DENIED},
        {"open", EMFILE, ERR_NO_MEMORY},
        {"open", ENOTDIR, ERR_NOT_FOUND},
        {"open", ELOOP, ERR_IO},
        {"fstat", EIO, ERR_IO},
        {"ftruncate", ENOSPC, ERR_IO},
        {"ftruncate", EPERM, ERR_PERMISSION_DENIED},
        {"mmap", ENOMEM, ERR_NO_MEMORY},
    };
    char path[] = "quire-store-XXXXXX";
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(path + strlen(path) - 6, "XXXXXX", 6);
        close(mkstemp(path));
        faults_at(cases[i].name, 1, false, cases[i].number);
        assert_int_equal(try(path, 0, WRITABLE | VM_STORE_FILE_CREATE, 0, 5000), cases[i].expected);
        faults_none();
        unlink(path);
    }
    file = temporary_file();
    assert_int_equal(ftruncate(file, 100), 0);
    faults_at("fcntl", 1, false, EMFILE);
    assert_int_equal(try(NULL, file, 0, 0, 0), ERR_NO_MEMORY);
    faults_at("fcntl", 2, false, EBADF);
    assert_int_equal(try(NULL, file, 0, 0, 0), ERR_INVALID_ARGS);
    faults_at("calloc", 2, false, 0); /* the ring's: there is none then */
    OK(try(NULL, file, 0, 0, 0));
    faults_none();
    close(file);
}

/* Some device of this machine, if there is one that we may read. */
static void test_a_block_device(void **state)
{
    static const char *const names[] = {"/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/loop0"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint8_t bytes[PAGE];
        size_t done;
        int device = open(names[i], O_RDONLY);
        bool has_bytes = device >= 0 && pread(device, bytes, PAGE, 0) == (ssize_t)PAGE;
        off_t end = device >= 0 ? lseek(device, 0, SEEK_END) : 0;
        close(device);
        if (!has_bytes)
            continue;
        OK(vm_store_create_file(&(struct vm_store_file_options){.path = names[i]}, &store));
        OK(frames_allocate(1, false, &frames[0]));
        assert_int_equal(store->ops->size(store), end);
        OK(read_pages(0, 1, &done));
        assert_memory_equal(host_frame_ptr(frames[0]), bytes, PAGE);
        assert_int_equal(write_pages(0, 1, &done), ERR_PERMISSION_DENIED);
        frames_free(frames[0], 1);
        store_end(store);
        return;
    }
    print_message("no block device that may be read\n");
}

static void test_vm_store_file_sync(void **state)
{
    (void)state;
    open_part(PAGE, WRITABLE, 0, 0);
    OK(store_put(store, 0, 5));
    OK(vm_store_file_sync(store));
    OK(store_check(store, 0, 5));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_any_part_with_and_without_a_ring),
        cmocka_unit_test(test_the_last_page_is_partial),
        cmocka_unit_test(test_offsets_that_are_none),
        cmocka_unit_test(test_read_only_is_read_only),
        cmocka_unit_test(test_a_file_cut_under_us_is_an_error),
        cmocka_unit_test(test_short_transfers_go_on),
        cmocka_unit_test(test_interrupted_calls_go_on),
        cmocka_unit_test(test_errors_are_io_and_told),
        cmocka_unit_test(test_a_ring_that_fails),
        cmocka_unit_test(test_what_is_in_memory_is_not_read_by_the_ring),
        cmocka_unit_test(test_a_long_read_is_not_the_rings),
        cmocka_unit_test(test_no_ring_where_each_read_would_be_a_threads),
        cmocka_unit_test(test_vm_store_create_file_refuses),
        cmocka_unit_test(test_create_makes_the_file_long_enough),
        cmocka_unit_test(test_what_creation_adds_is_there_once_it_is_written),
        cmocka_unit_test(test_what_creation_adds_may_be_cut_off),
        cmocka_unit_test(test_each_call_of_the_beginning_can_fail),
        cmocka_unit_test(test_a_block_device),
        cmocka_unit_test(test_vm_store_file_sync),
    };
    return cmocka_run_group_tests_name("the store over a file", tests, NULL, NULL);
}
