/* SPDX-License-Identifier: MIT */
/* Linux uses pages that aren't in memory: read and write, io_uring, process_vm_readv and ptrace of another process.
 * By messages it may; by signals it gets an error until the pages are populated or pinned. */
#include "support.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 40

static volatile unsigned char *absent(void)
{
    return map_store(store_create(PAGES), 0);
}

static bool by_messages(void)
{
    return quire_mode() == QUIRE_MODE_HANDLER;
}

static int file_of_ones(void)
{
    static unsigned char ones[PAGES * PAGE];
    int fd = memfd_create("ones", MFD_CLOEXEC);
    memset(ones, 1, sizeof ones);
    assert_int_equal(write(fd, ones, sizeof ones), sizeof ones);
    return fd;
}

/* 0, or the errno. */
static int error_of(ssize_t result, size_t expected)
{
    if (result >= 0)
        assert_int_equal(result, expected);
    return result < 0 ? errno : 0;
}

/* ---- read and write ----------------------------------------------------------------------------- */

static void test_read_and_write(void)
{
    volatile unsigned char *at = absent();
    int fd = file_of_ones(), none = by_messages() ? 0 : EFAULT;
    assert_int_equal(error_of(pwrite(fd, (const void *)at, PAGE, 0), PAGE), none);
    assert_int_equal(error_of(pread(fd, (void *)(at + 2 * PAGE), PAGE, (off_t)PAGE), PAGE), none);
    OK(quire_populate((void *)at, 2 * PAGE, false));
    assert_int_equal(pwrite(fd, (const void *)at, 2 * PAGE, 0), 2 * PAGE);
    OK(quire_populate((void *)(at + 2 * PAGE), 2 * PAGE, true));
    assert_int_equal(pread(fd, (void *)(at + 2 * PAGE), 2 * PAGE, (off_t)(2 * PAGE)), 2 * PAGE);
    assert_true(page_is(at, 1, 2) && page_is(at, 3, 0x0101010101010101));
}

/* What ends in pages that are there is done so far. */
static void test_write_of_a_part_that_is_there(void)
{
    volatile unsigned char *at = absent();
    int fd = file_of_ones();
    OK(quire_populate((void *)at, PAGE, false));
    size_t expected = by_messages() ? 2 * PAGE : PAGE;
    assert_int_equal(pwrite(fd, (const void *)at, 2 * PAGE, 0), expected);
}

/* ---- io_uring ----------------------------------------------------------------------------------- */

/* `async`: by a thread of the kernel's. The result. */
static int one_by_ring(struct io_uring *ring, int fd, bool writes, volatile unsigned char *at,
                       bool async)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(ring);
    struct io_uring_cqe *done;
    if (writes)
        io_uring_prep_write(entry, fd, (const void *)at, PAGE, 0);
    else
        io_uring_prep_read(entry, fd, (void *)at, PAGE, 0);
    if (async)
        io_uring_sqe_set_flags(entry, IOSQE_ASYNC);
    assert_int_equal(io_uring_submit(ring), 1);
    int error;
    do
        error = io_uring_wait_cqe(ring, &done);
    while (error == -EINTR);
    assert_int_equal(error, 0);
    int result = done->res;
    io_uring_cqe_seen(ring, done);
    return result;
}

static void test_io_uring(void)
{
    struct io_uring ring;
    volatile unsigned char *at = absent();
    int fd = file_of_ones(), none = by_messages() ? (int)PAGE : -EFAULT;
    if (io_uring_queue_init(4, &ring, 0) != 0) {
        print_message("skipped: no io_uring\n");
        return;
    }
    for (int async = 0; async < 2; async++) {
        volatile unsigned char *pages = at + (size_t)async * 8 * PAGE;
        assert_int_equal(one_by_ring(&ring, fd, false, pages, async), none);
        assert_int_equal(one_by_ring(&ring, fd, true, pages + PAGE, async), none);
        OK(quire_pin((void *)(pages + 2 * PAGE), 2 * PAGE));
        assert_int_equal(one_by_ring(&ring, fd, false, pages + 2 * PAGE, async), PAGE);
        assert_int_equal(one_by_ring(&ring, fd, true, pages + 3 * PAGE, async), PAGE);
        assert_int_equal(pages[3 * PAGE], (unsigned char)((pages - at) / (ptrdiff_t)PAGE + 4));
        OK(quire_unpin((void *)(pages + 2 * PAGE), 2 * PAGE));
    }
    io_uring_queue_exit(&ring);
}

/* Linux keeps the pages of registered buffers: they must be pinned as long, in either mode. */
static void test_registered_buffers_of_io_uring(void)
{
    struct io_uring ring;
    volatile unsigned char *at = absent();
    struct iovec buffer = {(void *)at, 4 * PAGE};
    int fd = file_of_ones();
    if (io_uring_queue_init(4, &ring, 0) != 0)
        return;
    if (!by_messages())
        assert_int_equal(io_uring_register_buffers(&ring, &buffer, 1), -EFAULT);
    OK(quire_pin((void *)at, 4 * PAGE));
    int error = io_uring_register_buffers(&ring, &buffer, 1);
    if (error != 0) { /* RLIMIT_MEMLOCK */
        print_message("skipped: io_uring registers no buffers: %s\n", strerror(-error));
        return;
    }
    struct test_store *other = store_create(4000);
    volatile unsigned char *more = map_store(other, 0);
    for (size_t i = 0; i < 4000; i++)
        assert_true(page_is(more, i, i + 1));
    struct io_uring_cqe *done;
    io_uring_prep_read_fixed(io_uring_get_sqe(&ring), fd, (void *)at, 4 * PAGE, 0, 0);
    assert_int_equal(io_uring_submit(&ring), 1);
    assert_int_equal(io_uring_wait_cqe(&ring, &done), 0);
    assert_int_equal(done->res, 4 * PAGE);
    for (size_t i = 0; i < 4; i++)
        assert_true(page_is(at, i, 0x0101010101010101));
    io_uring_queue_exit(&ring);
    OK(quire_unpin((void *)at, 4 * PAGE));
}

/* ---- another process ---------------------------------------------------------------------------- */

/* What `look` gives in a child, which may trace its parent. */
static int in_child(int (*look)(pid_t parent, const volatile unsigned char *at),
                    const volatile unsigned char *at)
{
    int status;
    pid_t parent = getpid();
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(look(parent, at));
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

enum { RIGHT = 0, WRONG_BYTES = 200, NOT_ALLOWED = 201 };

static int judge(bool done, uint64_t word, uint64_t expected)
{
    if (!done)
        return errno == EPERM ? NOT_ALLOWED : errno;
    return word == expected ? RIGHT : WRONG_BYTES;
}

static int read_by_call(pid_t parent, const volatile unsigned char *at)
{
    uint64_t word = 0;
    struct iovec to = {&word, sizeof word}, from = {(void *)(uintptr_t)at, sizeof word};
    bool done = process_vm_readv(parent, &to, 1, &from, 1, 0) == sizeof word;
    return judge(done, word, 3);
}

static int read_by_file(pid_t parent, const volatile unsigned char *at)
{
    char name[40];
    uint64_t word = 0;
    snprintf(name, sizeof name, "/proc/%d/mem", parent);
    int fd = open(name, O_RDONLY);
    bool done = fd >= 0 && pread(fd, &word, sizeof word, (off_t)(uintptr_t)at) == sizeof word;
    return judge(done, word, 3);
}

/* The parent is stopped meanwhile; so is who waits for this child, but for the other threads of the parent. */
static int read_by_ptrace(pid_t parent, const volatile unsigned char *at)
{
    int status;
    if (ptrace(PTRACE_SEIZE, parent, NULL, NULL) != 0)
        return NOT_ALLOWED;
    if (ptrace(PTRACE_INTERRUPT, parent, NULL, NULL) != 0 || waitpid(parent, &status, 0) != parent)
        return NOT_ALLOWED;
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, parent, (void *)(uintptr_t)at, NULL);
    int result = judge(errno == 0, (uint64_t)word, 3);
    ptrace(PTRACE_DETACH, parent, NULL, NULL);
    return result;
}

static void test_process_vm_readv(void)
{
    volatile unsigned char *at = absent();
    int result = in_child(read_by_call, at + 2 * PAGE);
    assert_int_equal(result, by_messages() ? RIGHT : EFAULT);
    OK(quire_populate((void *)at, 4 * PAGE, false));
    assert_int_equal(in_child(read_by_call, at + 2 * PAGE), RIGHT);
}

/* Linux waits for nobody where it is the memory of a process that it may have stopped: EIO in either mode. */
static void look_by_file_or_ptrace(int (*look)(pid_t parent, const volatile unsigned char *at))
{
    volatile unsigned char *at = absent();
    int result = in_child(look, at + 2 * PAGE);
    if (result == NOT_ALLOWED) {
        print_message("skipped: not allowed here\n");
        return;
    }
    assert_int_equal(result, EIO);
    OK(quire_populate((void *)at, 4 * PAGE, false));
    assert_int_equal(in_child(look, at + 2 * PAGE), RIGHT);
    OK(quire_evict((void *)at, 4 * PAGE));
    OK(quire_pin((void *)at, 4 * PAGE));
    assert_int_equal(in_child(look, at + 2 * PAGE), RIGHT);
    OK(quire_unpin((void *)at, 4 * PAGE));
    assert_true(page_is(at, 2, 3));
}

static void test_ptrace(void)
{
    look_by_file_or_ptrace(read_by_ptrace);
}

static void test_proc_mem(void)
{
    look_by_file_or_ptrace(read_by_file);
}

LINUX_MAIN(TEST_MODES(test_read_and_write, .budget = 2 * MIB),
           TEST_MODES(test_write_of_a_part_that_is_there, .budget = 2 * MIB),
           TEST_MODES(test_io_uring, .budget = 2 * MIB),
           TEST_MODES(test_registered_buffers_of_io_uring, .budget = 2 * MIB),
           TEST_MODES(test_process_vm_readv, .budget = 2 * MIB),
           TEST_MODES(test_ptrace, .budget = 2 * MIB), TEST_MODES(test_proc_mem, .budget = 2 * MIB))
