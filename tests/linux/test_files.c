/* SPDX-License-Identifier: MIT */
/* Files that are mapped while others change them, that are full, or have bytes that are wrong. */
#include "support.h"

#include <quire/stores.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGES 1000

static int file;

/* Page n has words of n + 1. */
static int make_file(void)
{
    uint64_t page[PAGE / 8];
    int fd = memfd_create("file", 0);
    for (size_t i = 0; i < PAGES; i++) {
        for (size_t word = 0; word < PAGE / 8; word++)
            page[word] = i + 1;
        assert_int_equal(write(fd, page, PAGE), PAGE);
    }
    return fd;
}

static vm_store *store_of(int fd)
{
    vm_store *store;
    struct vm_store_file_options options = {.descriptor = fd, .flags = VM_STORE_FILE_WRITABLE};
    OK(vm_store_create_file(&options, &store));
    return store;
}

static volatile unsigned char *map_with(vm_store *store, size_t pages, size_t granule,
                                        unsigned flags)
{
    struct quire_mapping mapping = {
        .store = store, .size = pages * PAGE, .granule = granule, .flags = flags};
    void *address;
    OK(quire_map(&mapping, &address));
    return address;
}

static volatile unsigned char *map_file(size_t granule)
{
    file = make_file();
    return map_with(store_of(file), PAGES, granule, 0);
}

/* ---- shorter and longer ------------------------------------------------------------------------- */

static void check_cut(size_t granule)
{
    volatile unsigned char *at = map_file(granule);
    assert_int_equal(ftruncate(file, 500 * PAGE + 16), 0);
    assert_true(page_is(at, 499, 500));
    const volatile uint64_t *last =
        (const volatile uint64_t *)(const volatile void *)(at + 500 * PAGE);
    assert_int_equal(caught_read(last), 0);
    assert_true(last[1] == 501 && last[2] == 0 && last[511] == 0);
    for (size_t i = 501; i < PAGES; i += 7) {
        assert_int_equal(caught_read(at + i * PAGE), SIGBUS);
        assert_ptr_equal(caught_at, at + i * PAGE);
        assert_int_equal(caught_write((volatile void *)(at + i * PAGE + 5)), SIGBUS);
    }
    write_page(at, 499, 7);
    at[500 * PAGE] = 9;
    OK(quire_unmap((void *)at));
    unsigned char bytes[20];
    assert_int_equal(pread(file, bytes, 20, 500 * PAGE), 16);
    assert_int_equal(bytes[0], 9);
    close(file);
}

static void test_a_file_cut_while_it_is_mapped(void)
{
    check_cut(0);
    check_cut(PAGE);
    check_cut(64 * PAGE);
}

/* Pages that were there, and were written, behind what is the end now: as with mmap, the file doesn't get them. */
static void test_a_file_cut_below_modified_pages(void)
{
    volatile unsigned char *at = map_file(PAGE), *other = map_memory(100);
    for (size_t i = 400; i < 600; i++)
        write_page(at, i, 7);
    assert_int_equal(ftruncate(file, 500 * PAGE), 0);
    OK(quire_flush((void *)at, PAGES * PAGE));
    OK(quire_evict((void *)at, PAGES * PAGE));
    assert_true(page_is(at, 599, 7)); /* it isn't lost, as long as it is mapped */
    for (size_t i = 0; i < 100; i++)
        write_page(other, i, i);
    OK(quire_unmap((void *)at));
    uint64_t word;
    assert_int_equal(pread(file, &word, 8, 499 * PAGE), 8);
    assert_int_equal(word, 7);
    assert_int_equal(lseek(file, 0, SEEK_END), 500 * PAGE);
}

static void test_a_file_that_gets_longer_while_it_is_mapped(void)
{
    volatile unsigned char *at = map_file(0);
    assert_int_equal(ftruncate(file, 2 * PAGES * PAGE), 0);
    for (size_t i = 0; i < PAGES; i++) {
        assert_true(page_is(at, i, i + 1));
        write_page(at, i, i + 2);
    }
    OK(quire_unmap((void *)at));
    assert_int_equal(lseek(file, 0, SEEK_END), 2 * PAGES * PAGE);
}

/* ---- full --------------------------------------------------------------------------------------- */

/* Linux sends SIGXFSZ to whoever writes behind the limit, which ends a process by default: not by an access. */
static void test_a_limit_of_files_ends_no_process(void)
{
    volatile unsigned char *at = map_file(PAGE);
    struct rlimit limit = {20 * PAGE, RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (size_t i = 0; i < 200; i++)
        write_page(at, i, i + 5);
    assert_int_not_equal(quire_flush((void *)at, PAGES * PAGE), VM_OK);
    OK(quire_evict((void *)at, PAGES * PAGE));
    for (size_t i = 200; i < PAGES; i++)
        assert_true(page_is(at, i, i + 1));
    for (size_t i = 0; i < 200; i++)
        assert_true(page_is(at, i, i + 5));
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    OK(quire_flush((void *)at, PAGES * PAGE));
    OK(quire_unmap((void *)at));
}

static void test_a_limit_of_files_refuses_a_longer_one(void)
{
    vm_store *store;
    struct rlimit limit = {20 * PAGE, RLIM_INFINITY};
    file = make_file();
    struct vm_store_file_options options = {.descriptor = file,
                                            .length = 2 * PAGES * PAGE,
                                            .flags = VM_STORE_FILE_WRITABLE | VM_STORE_FILE_CREATE};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(vm_store_create_file(&options, &store), ERR_IO);
    assert_int_equal(lseek(file, 0, SEEK_END), PAGES * PAGE);
}

/* A file on a file system of half its size; what takes the rest of that. */
static int file_on_small_disk(int *filler)
{
    if (getuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/mnt", "tmpfs", 0, "size=2M") != 0)
        skip_test("no file system may be mounted");
    *filler = open("/mnt/filler", O_RDWR | O_CREAT, 0600);
    assert_int_equal(posix_fallocate(*filler, 0, MIB), 0);
    int fd = open("/mnt/file", O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, 2 * MIB - 64 * PAGE), 0);
    return fd;
}

static void test_a_full_disk(void)
{
    int filler, fd = file_on_small_disk(&filler);
    size_t pages = 2 * MIB / PAGE - 64, refused = 0;
    struct test_store *other = store_create(PAGES);
    volatile unsigned char *at = map_with(store_of(fd), pages, PAGE, 0);
    for (size_t i = 0; i < pages; i++)
        if (caught_write(at + i * PAGE) == 0)
            write_page(at, i, i + 1);
        else
            refused++;
    assert_int_not_equal(quire_flush((void *)at, pages * PAGE), VM_OK);
    volatile unsigned char *reading = map_store(other, QUIRE_READ_ONLY);
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(reading, i, i + 1));
    assert_int_equal(ftruncate(filler, 0), 0);
    OK(quire_flush((void *)at, pages * PAGE));
    for (size_t i = 0; i < pages; i++)
        assert_true(refused > 0 || page_is(at, i, i + 1));
    OK(quire_unmap((void *)at));
}

/* ---- wrong bytes -------------------------------------------------------------------------------- */

static off_t bad_pages[8];
static size_t bad_count;

static void note_bad(void *argument, off_t offset)
{
    (void)argument;
    if (bad_count < 8)
        bad_pages[bad_count] = offset;
    bad_count++;
}

/* One bit of each page in turn: an error there, and nowhere else. */
static void test_a_flipped_bit_of_each_page(void)
{
    vm_store *store;
    unsigned char byte;
    file = make_file();
    struct vm_store_checksum_options options = {
        .below = store_of(file), .pages = PAGES, .bad_page = note_bad};
    OK(vm_store_create_checksum(&options, &store));
    volatile unsigned char *at = map_with(store, PAGES, 0, 0);
    for (size_t i = 0; i < PAGES; i++)
        write_page(at, i, i + 5);
    OK(quire_evict((void *)at, PAGES * PAGE));
    for (size_t i = 0; i < PAGES; i++) {
        off_t place = (off_t)(i * PAGE + i * 37 % PAGE);
        bad_count = 0;
        assert_int_equal(pread(file, &byte, 1, place), 1);
        byte ^= (unsigned char)(1u << i % 8);
        assert_int_equal(pwrite(file, &byte, 1, place), 1);
        OK(quire_evict((void *)at, PAGES * PAGE));
        assert_int_equal(quire_populate((void *)(at + i * PAGE), PAGE, false), ERR_IO);
        assert_true(bad_count > 0);
        for (size_t bad = 0; bad < bad_count && bad < 8; bad++)
            assert_int_equal(bad_pages[bad], i * PAGE);
        size_t next = (i + 1) % PAGES;
        assert_true(page_is(at, next, next + 5));
        byte ^= (unsigned char)(1u << i % 8);
        assert_int_equal(pwrite(file, &byte, 1, place), 1);
        OK(quire_populate((void *)(at + i * PAGE), PAGE, false));
        assert_true(page_is(at, i, i + 5));
    }
}

/* ---- long reads --------------------------------------------------------------------------------- */

static void read_all(const volatile unsigned char *at)
{
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(at, i, i + 1));
}

static void test_file_that_is_read_ahead_leaves_no_descriptor(void)
{
    size_t before = open_files();
    volatile unsigned char *at = map_file(0);
    size_t mapped = open_files();
    read_all(at);
    assert_int_equal(open_files(), mapped + 1);
    OK(quire_unmap((void *)at));
    close(file);
    assert_int_equal(open_files(), before);
}

static void test_file_is_read_ahead_where_no_descriptor_is_left(void)
{
    volatile unsigned char *at = map_file(0);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {0, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    read_all(at);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

LINUX_MAIN(TEST(test_file_that_is_read_ahead_leaves_no_descriptor),
           TEST(test_file_is_read_ahead_where_no_descriptor_is_left),
           TEST_MODES(test_a_file_cut_while_it_is_mapped, .budget = 2 * MIB),
           TEST_MODES(test_a_file_cut_below_modified_pages, .budget = 4 * MIB),
           TEST_MODES(test_a_file_that_gets_longer_while_it_is_mapped, .budget = 2 * MIB),
           TEST_WITH(test_a_limit_of_files_ends_no_process, .budget = 2 * MIB),
           TEST_WITH(test_a_limit_of_files_ends_no_process, .budget = 2 * MIB, .daemons = 1),
           TEST_WITH(test_a_limit_of_files_refuses_a_longer_one, .budget = 2 * MIB),
           TEST_MODES(test_a_full_disk, .budget = 2 * MIB),
           TEST_MODES(test_a_flipped_bit_of_each_page, .budget = 2 * MIB))
