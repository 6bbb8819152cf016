/* SPDX-License-Identifier: MIT */
/* Checksums over another store. */
#define _GNU_SOURCE
#include "faults.h"
#include "support.h"
#include "trouble.h"

#include <errno.h>
#include <unistd.h>

#define SIZE 200

static struct trouble trouble;
static vm_store *store, *memory;
static off_t told[8];
static unsigned tellings;

static void tell(void *argument, off_t offset)
{
    assert_ptr_equal(argument, &trouble);
    told[tellings++ % 8] = offset;
}

static void begin(void)
{
    memory = make_memory(SIZE);
    struct vm_store_checksum_options options = {.below = trouble_begin(&trouble, memory),
                                                .pages = SIZE,
                                                .bad_page = tell,
                                                .argument = &trouble};
    OK(vm_store_create_checksum(&options, &store));
    tellings = 0;
    for (size_t i = 0; i < SIZE; i++)
        OK(store_put(store, i, i + 1));
}

static struct vm_store_checksum_info info(void)
{
    struct vm_store_checksum_info now;
    vm_store_checksum_info(store, &now);
    return now;
}

static int read_run(size_t page, size_t count, size_t *done)
{
    addr_t frames[SIZE];
    for (size_t i = 0; i < count; i++)
        OK(frames_allocate(1, false, &frames[i]));
    int error = store->ops->read(store, PAGES(page), frames, count, done);
    for (size_t i = 0; i < *done / PAGE; i++)
        assert_true(page_is(host_frame_ptr(frames[i]), page + i + 1));
    for (size_t i = 0; i < count; i++)
        frames_free(frames[i], 1);
    return error;
}

static void test_a_page_that_comes_back_different(void **state)
{
    size_t done;
    (void)state;
    begin();
    assert_int_equal(info().bad, 0);
    assert_int_equal(info().last_bad, -1);
    OK(store_put(memory, 20, 999)); /* behind its back */
    assert_int_equal(store_check(store, 20, 999), ERR_IO);
    assert_int_equal(info().bad, 1);
    assert_int_equal(info().last_bad, PAGES(20));
    assert_int_equal(tellings, 1);
    assert_int_equal(told[0], PAGES(20));
    assert_int_equal(read_run(0, SIZE, &done), ERR_IO);
    assert_int_equal(done, 20 * PAGE);
    assert_int_equal(tellings, 2);
    OK(read_run(21, 79, &done));
    OK(store_put(store, 20, 21));
    OK(read_run(0, SIZE, &done));
    assert_int_equal(done, SIZE * PAGE);
    store_end(store);
}

/* A bit that is wrong on the way only is right the second time. */
static void test_a_bad_read_is_tried_again(void **state)
{
    size_t done;
    (void)state;
    begin();
    trouble.flip_read = 1;
    OK(read_run(3, 10, &done));
    assert_int_equal(info().bad, 0);
    trouble.flip_read = 1;
    trouble.for_good = true;
    assert_int_equal(store_check(store, 3, 4), ERR_IO);
    assert_int_equal(info().last_bad, PAGES(3));
    store_end(store);
}

static void test_errors_from_below_are_passed_on(void **state)
{
    size_t done;
    (void)state;
    begin();
    trouble.fail_read = 2;
    assert_int_equal(read_run(0, SIZE, &done), ERR_IO);
    assert_int_equal(done, 128 * PAGE);
    OK(read_run(0, SIZE, &done));
    trouble.fail_write = 1;
    assert_int_equal(store_put(store, 5, 77), ERR_IO);
    assert_int_equal(info().bad, 0);
    trouble.flip_read = 1;
    trouble.fail_read = 2; /* the second look fails */
    assert_int_equal(store_check(store, 3, 4), ERR_IO);
    assert_int_equal(info().bad, 0);
    store_end(store);
}

/* What is there then, nobody knows. */
static void test_a_page_whose_write_failed_is_not_checked(void **state)
{
    (void)state;
    begin();
    trouble.fail_write = 1;
    trouble.spoil = true;
    assert_int_equal(store_put(store, 5, 77), ERR_IO);
    addr_t frame;
    size_t done;
    OK(frames_allocate(1, false, &frame));
    OK(store->ops->read(store, PAGES(5), &frame, 1, &done));
    assert_int_equal(*(uint8_t *)host_frame_ptr(frame), 0xdb);
    frames_free(frame, 1);
    assert_int_equal(info().bad, 0);
    OK(store_put(store, 5, 6));
    OK(store_put(memory, 5, 7));
    assert_int_equal(store_check(store, 5, 6), ERR_IO);
    store_end(store);
}

static void test_a_short_write_is_an_error(void **state)
{
    addr_t frames[4];
    size_t done;
    (void)state;
    begin();
    for (size_t i = 0; i < 4; i++) {
        OK(frames_allocate(1, false, &frames[i]));
        page_fill(host_frame_ptr(frames[i]), 100 + i);
    }
    trouble.short_write = 1;
    assert_int_equal(store->ops->write(store, 0, frames, 4, &done), ERR_IO);
    assert_int_equal(done, 2 * PAGE);
    OK(store_check(store, 0, 100));
    OK(store_check(store, 1, 101));
    OK(store_put(memory, 1, 7)); /* this one was written for sure, that one wasn't */
    assert_int_equal(store_check(store, 1, 101), ERR_IO);
    OK(store_put(memory, 2, 7));
    OK(store_check(store, 2, 7));
    for (size_t i = 0; i < 4; i++)
        frames_free(frames[i], 1);
    store_end(store);
}

/* Bytes that don't come would read as zeros. */
static void test_a_short_read_is_tried_again_and_checked(void **state)
{
    size_t done;
    (void)state;
    begin();
    trouble.short_read = 1;
    OK(read_run(0, 10, &done));
    assert_int_equal(done, 10 * PAGE);
    trouble.short_read = 1;
    trouble.for_good = true;
    assert_int_equal(store_check(store, 3, 4), ERR_IO);
    assert_int_equal(info().bad, 1);
    store_end(store);
}

static void test_pages_never_written_are_not_checked(void **state)
{
    (void)state;
    memory = make_memory(4);
    OK(store_put(memory, 1, 5));
    store = make_checksum(4, memory);
    OK(store_check(store, 1, 5));
    OK(store_put(memory, 1, 6));
    OK(store_check(store, 1, 6));
    assert_int_equal(info().checked, 0);
    OK(store_put(store, 1, 7));
    OK(store_check(store, 1, 7));
    assert_int_equal(info().checked, 1);
    store->ops->discard(store, PAGES(1), 1);
    OK(store_check_zero(store, 1));
    OK(store_put(memory, 1, 8));
    OK(store_check(store, 1, 8));
    store->ops->discard(store, PAGES(7), 1);
    store_end(store);
}

/* The file's end is within a page: what is behind it is nobody's. */
static void test_a_partial_last_page(void **state)
{
    int file = temporary_file();
    vm_store *lower;
    addr_t frame;
    size_t done;
    (void)state;
    struct vm_store_file_options options = {.descriptor = file,
                                            .flags = VM_STORE_FILE_WRITABLE | VM_STORE_FILE_CREATE,
                                            .length = 2 * PAGE + 100};
    OK(vm_store_create_file(&options, &lower));
    store = make_checksum(3, lower);
    assert_int_equal(store->ops->size(store), 2 * PAGE + 100);
    OK(frames_allocate(1, false, &frame));
    memset(host_frame_ptr(frame), 0x77, PAGE);
    OK(store->ops->write(store, PAGES(2), &frame, 1, &done));
    assert_int_equal(done, 100);
    memset(host_frame_ptr(frame), 0x11, PAGE);
    OK(store->ops->read(store, PAGES(2), &frame, 1, &done));
    const uint8_t *bytes = host_frame_ptr(frame);
    assert_int_equal(bytes[99], 0x77);
    assert_int_equal(bytes[100], 0);
    assert_int_equal(bytes[PAGE - 1], 0);
    assert_int_equal(info().checked, 1);
    assert_int_equal(pwrite(file, "x", 1, 2 * PAGE + 99), 1);
    assert_int_equal(store->ops->read(store, PAGES(2), &frame, 1, &done), ERR_IO);
    assert_int_equal(ftruncate(file, PAGE), 0);
    assert_int_equal(store->ops->read(store, PAGES(2), &frame, 1, &done), ERR_VM_PF_PAST_END);
    assert_int_equal(info().bad, 1);
    frames_free(frame, 1);
    close(file);
    store_end(store);
}

/* A frame that changes while it is written will be written again: it is no bad page until then. */
static addr_t changing;

static int change_and_write(vm_store *below, off_t offset, const addr_t *frames, size_t count,
                            size_t *done)
{
    *(uint8_t *)host_frame_ptr(changing) ^= 1;
    return memory->ops->write(below->data, offset, frames, count, done);
}

static int plain_read(vm_store *below, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    return memory->ops->read(below->data, offset, frames, count, done);
}

static void end_memory(vm_store *below)
{
    store_end(below->data);
}

static void test_a_frame_that_changes_while_it_is_written(void **state)
{
    static const struct vm_store_ops ops = {
        .destroy = end_memory, .read = plain_read, .write = change_and_write};
    size_t done;
    (void)state;
    memory = make_memory(4);
    vm_store lower = {.magic = VM_STORE_MAGIC, .ops = &ops, .data = memory};
    store = make_checksum(4, &lower);
    OK(frames_allocate(1, true, &changing));
    OK(store->ops->write(store, 0, &changing, 1, &done));
    OK(store->ops->read(store, 0, &changing, 1, &done));
    assert_int_equal(info().checked, 0);
    /* It has no end, no pages, no room to promise, no references: so neither has this one. */
    assert_int_equal(store->ops->size(store), PAGES(4));
    assert_false(store->ops->has_page(store, 0));
    store->ops->discard(store, 0, 1);
    OK(store->ops->commit(store, PAGES(9)));
    assert_int_equal(store->committed_size, PAGES(9));
    store->ops->acquire_ref(store);
    store->ops->release_ref(store);
    frames_free(changing, 1);
    store_end(store);
}

/* Each read below is followed by a write through the store above, before that has looked at what was read. */
static unsigned overtake;

static int overtaken_read(vm_store *below, off_t offset, const addr_t *frames, size_t count,
                          size_t *done)
{
    int error = memory->ops->read(below->data, offset, frames, count, done);
    if (overtake > 0)
        OK(store_put(store, 1, 100 + overtake--));
    return error;
}

static int plain_write(vm_store *below, off_t offset, const addr_t *frames, size_t count,
                       size_t *done)
{
    return memory->ops->write(below->data, offset, frames, count, done);
}

static void test_a_page_that_is_written_while_it_is_read(void **state)
{
    static const struct vm_store_ops ops = {
        .destroy = end_memory, .read = overtaken_read, .write = plain_write};
    (void)state;
    memory = make_memory(4);
    vm_store lower = {.magic = VM_STORE_MAGIC, .ops = &ops, .data = memory};
    store = make_checksum(4, &lower);
    OK(store_put(store, 1, 1));
    overtake = 5;
    OK(store_check(store, 1,
                   101)); /* the last version: all others were old when they were looked at */
    assert_int_equal(overtake, 0);
    assert_int_equal(info().bad, 0);
    assert_int_equal(info().checked, 1);
    store_end(store);
}

static unsigned references;

static void count_acquire(vm_store *below)
{
    (void)below;
    references++;
}

static void count_release(vm_store *below)
{
    (void)below;
    references--;
}

static int refuse_commit(vm_store *below, off_t size)
{
    (void)below;
    return size > PAGES(2) ? ERR_VM_WOULD_OVERCOMMIT : VM_OK;
}

static void test_references_and_promises_go_below(void **state)
{
    static const struct vm_store_ops ops = {.destroy = end_memory,
                                            .commit = refuse_commit,
                                            .read = plain_read,
                                            .acquire_ref = count_acquire,
                                            .release_ref = count_release};
    (void)state;
    memory = make_memory(4);
    vm_store lower = {.magic = VM_STORE_MAGIC, .ops = &ops, .data = memory};
    store = make_checksum(4, &lower);
    store->ops->acquire_ref(store);
    assert_int_equal(references, 1);
    store->ops->release_ref(store);
    assert_int_equal(references, 0);
    OK(store->ops->commit(store, PAGES(2)));
    assert_int_equal(store->ops->commit(store, PAGES(3)), ERR_VM_WOULD_OVERCOMMIT);
    assert_int_equal(store->committed_size, PAGES(2));
    assert_int_equal(store_put(store, 0, 1), ERR_UNSUPPORTED);
    store_end(store);
}

static int no_fault(vm_store *below, vm_region *region, addr_t address, unsigned access)
{
    (void)below, (void)region, (void)address, (void)access;
    return ERR_VM_PF_FATAL;
}

static void test_vm_store_create_checksum_refuses(void **state)
{
    static const struct vm_store_ops device = {.read = plain_read, .fault = no_fault}, none;
    vm_store odd = {.ops = &device}, empty = {.ops = &none};
    struct vm_store_checksum_options options = {.below = make_memory(4), .pages = 4};
    (void)state;
    memory = options.below;
    store = NULL;
    assert_int_equal(vm_store_create_checksum(NULL, &store), ERR_INVALID_ARGS);
    assert_int_equal(vm_store_create_checksum(&options, NULL), ERR_INVALID_ARGS);
    options.below = NULL;
    assert_int_equal(vm_store_create_checksum(&options, &store), ERR_INVALID_ARGS);
    options.below = &odd;
    assert_int_equal(vm_store_create_checksum(&options, &store), ERR_INVALID_ARGS);
    options.below = &empty;
    assert_int_equal(vm_store_create_checksum(&options, &store), ERR_INVALID_ARGS);
    options.below = memory;
    options.pages = 0;
    assert_int_equal(vm_store_create_checksum(&options, &store), ERR_INVALID_ARGS);
    options.pages = SIZE_MAX;
    assert_int_equal(vm_store_create_checksum(&options, &store), ERR_INVALID_ARGS);
    options.pages = 4;
    for (unsigned n = 1; n <= 3; n++) {
        faults_at(NULL, n, false, ENOMEM);
        assert_int_equal(vm_store_create_checksum(&options, &store), ERR_NO_MEMORY);
    }
    faults_none();
    assert_null(store);
    OK(store_put(memory, 0, 1)); /* it is ours still */
    store_end(memory);
}

static void test_offsets_that_are_none(void **state)
{
    addr_t frame;
    size_t done = 1;
    (void)state;
    begin();
    OK(frames_allocate(1, false, &frame));
    assert_int_equal(store->ops->read(store, 1, &frame, 1, &done), ERR_INVALID_ARGS);
    assert_int_equal(done, 0);
    assert_int_equal(store->ops->write(store, -PAGES(1), &frame, 1, &done), ERR_INVALID_ARGS);
    assert_int_equal(store_put(store, SIZE, 1), ERR_VM_PF_PAST_END);
    assert_int_equal(store_check(store, SIZE, 1), ERR_VM_PF_PAST_END);
    frames_free(frame, 1);
    store_end(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page_that_comes_back_different),
        cmocka_unit_test(test_a_bad_read_is_tried_again),
        cmocka_unit_test(test_errors_from_below_are_passed_on),
        cmocka_unit_test(test_a_page_whose_write_failed_is_not_checked),
        cmocka_unit_test(test_a_short_write_is_an_error),
        cmocka_unit_test(test_a_short_read_is_tried_again_and_checked),
        cmocka_unit_test(test_pages_never_written_are_not_checked),
        cmocka_unit_test(test_a_partial_last_page),
        cmocka_unit_test(test_a_frame_that_changes_while_it_is_written),
        cmocka_unit_test(test_a_page_that_is_written_while_it_is_read),
        cmocka_unit_test(test_references_and_promises_go_below),
        cmocka_unit_test(test_vm_store_create_checksum_refuses),
        cmocka_unit_test(test_offsets_that_are_none),
    };
    return cmocka_run_group_tests_name("checksums over another store", tests, NULL, NULL);
}
