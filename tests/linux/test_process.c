/* SPDX-License-Identifier: MIT */
/* What else a process does while it pages itself: it ends, starts others, changes its user, its root and its limits;
 * and a store that doesn't answer. */
#include "support.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define PAGES 2000

static volatile unsigned char *at;
static uint32_t stop;

static void *fault_on(void *number)
{
    for (size_t i = (size_t)number; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i += THREADS)
        write_page(at, i % PAGES, i % PAGES);
    return NULL;
}

static void start_threads(pthread_t *threads)
{
    add_swap(2 * PAGES);
    at = map_memory(PAGES);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fault_on, (void *)i), 0);
}

static void end_threads(const pthread_t *threads)
{
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* How a process that starts Quire of its own and does this ends; SIGALRM: it didn't. */
static int end_of(void (*function)(void))
{
    int status;
    enum quire_mode mode = quire_mode();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct quire_options options = {.budget = 2 * MIB, .mode = mode, .daemons = 1};
        alarm(20);
        OK(quire_start(&options));
        function();
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- ends --------------------------------------------------------------------------------------- */

static void exit_beside_faults(void)
{
    pthread_t threads[THREADS];
    start_threads(threads);
    usleep(20000);
    exit(3);
}

static void test_exit_beside_faults(void)
{
    for (int i = 0; i < LESS(10) + 1; i++)
        assert_int_equal(end_of(exit_beside_faults), 3 << 8);
}

static void kill_beside_faults(void)
{
    pthread_t threads[THREADS];
    start_threads(threads);
    usleep(20000);
    kill(getpid(), SIGTERM);
    sleep(30);
}

static void test_sigterm_beside_faults(void)
{
    for (int i = 0; i < LESS(10) + 1; i++) {
        int status = end_of(kill_beside_faults);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    }
}

static void *run_true(void *unused)
{
    int status = -1;
    (void)unused;
    for (int i = 0; i < LESS(40); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(9);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    return NULL;
}

static void test_fork_and_exec_in_a_thread_beside_faults(void)
{
    pthread_t threads[THREADS], starter;
    start_threads(threads);
    assert_int_equal(pthread_create(&starter, NULL, run_true, NULL), 0);
    pthread_join(starter, NULL);
    end_threads(threads);
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(
            at, i, *(const volatile uint64_t *)(const volatile void *)(at + i * PAGE) ? i : 0));
}

static void exec_beside_faults(void)
{
    pthread_t threads[THREADS];
    start_threads(threads);
    usleep(20000);
    execl("/bin/true", "true", (char *)NULL);
}

static void test_exec_beside_faults(void)
{
    assert_int_equal(end_of(exec_beside_faults), 0);
}

static void *fault_for_good(void *unused)
{
    int old;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    for (size_t i = 0;; i++)
        at[i % PAGES * PAGE] = 1;
    return unused;
}

static void test_threads_that_are_cancelled_at_any_time_lock_nothing(void)
{
    add_swap(2 * PAGES);
    at = map_memory(PAGES);
    for (int i = 0; i < LESS(100); i++) {
        pthread_t thread;
        struct timespec pause = {0, 1000000 + i * 10000};
        assert_int_equal(pthread_create(&thread, NULL, fault_for_good, NULL), 0);
        nanosleep(&pause, NULL);
        assert_int_equal(pthread_cancel(thread), 0);
        pthread_join(thread, NULL);
        OK(quire_evict((void *)at, 100 * PAGE));
    }
    write_page(at, 0, 5);
    assert_true(page_is(at, 0, 5));
}

/* ---- a store that doesn't answer ---------------------------------------------------------------- */

static uint32_t blocks = 1, waiting;
static const struct vm_store_ops *answering;

/* Page 5 comes when somebody says so. */
static int read_late(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                     size_t *done)
{
    if (offset == (off_t)(5 * PAGE)) {
        __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&blocks, __ATOMIC_SEQ_CST) != 0)
            usleep(1000);
        __atomic_fetch_sub(&waiting, 1, __ATOMIC_SEQ_CST);
    }
    return answering->read(store, offset, frames, count, done);
}

static struct test_store *late_store(void)
{
    static struct vm_store_ops ops;
    struct test_store *store = store_create(PAGES);
    answering = store->store.ops;
    ops = *answering;
    ops.read = read_late;
    store->store.ops = &ops;
    return store;
}

static void *read_page_5(void *region)
{
    assert_true(page_is(region, 5, 6));
    return NULL;
}

static void begin_to_wait(volatile unsigned char *region, pthread_t *thread)
{
    assert_int_equal(pthread_create(thread, NULL, read_page_5, (void *)region), 0);
    while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) == 0)
        usleep(1000);
}

static void end_to_wait(pthread_t thread)
{
    __atomic_store_n(&blocks, 0, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
}

/* In HANDLER mode as long as there is another handler. */
static void test_other_pages_come_while_a_store_blocks(void)
{
    pthread_t thread;
    add_swap(3 * PAGES);
    volatile unsigned char *late = map_store(late_store(), 0);
    volatile unsigned char *other = map_store(store_create(PAGES), 0), *memory = map_memory(PAGES);
    alarm(20);
    begin_to_wait(late, &thread);
    for (size_t i = 0; i < PAGES; i++) {
        assert_true(page_is(other, i, i + 1));
        write_page(memory, i, i);
        if (i != 5)
            late[i * PAGE] = late[i * PAGE + 8];
    }
    end_to_wait(thread);
}

static void test_calls_end_while_a_store_blocks(void)
{
    pthread_t thread;
    unsigned char changed[PAGES];
    void *copy;
    add_swap(3 * PAGES);
    volatile unsigned char *late = map_store(late_store(), QUIRE_PRIVATE), *other;
    volatile unsigned char *behind = late + 6 * PAGE;
    alarm(20);
    begin_to_wait(late, &thread);
    OK(quire_populate((void *)behind, 50 * PAGE, true));
    OK(quire_pin((void *)behind, 20 * PAGE));
    OK(quire_unpin((void *)behind, 20 * PAGE));
    OK(quire_protect((void *)behind, 20 * PAGE, false));
    OK(quire_protect((void *)behind, 20 * PAGE, true));
    OK(quire_changed((void *)late, PAGES * PAGE, changed));
    OK(quire_flush((void *)late, PAGES * PAGE));
    OK(quire_evict((void *)late, PAGES * PAGE));
    other = map_store(store_create(PAGES), 0);
    other[0] = 3;
    OK(quire_snapshot((void *)map_memory(5), &copy));
    OK(quire_unmap(copy));
    OK(quire_snapshot((void *)late, &copy));
    assert_true(page_is(copy, 4, 5));
    OK(quire_unmap(copy));
    OK(quire_unmap((void *)other));
    end_to_wait(thread);
}

static void flush_and_evict_while_it_blocks(void)
{
    pthread_t thread;
    volatile unsigned char *late = map_store(late_store(), 0);
    begin_to_wait(late, &thread);
    write_page(late, 6, 3);
    OK(quire_flush((void *)(late + 6 * PAGE), 5 * PAGE));
    OK(quire_flush((void *)late, PAGES * PAGE));
    OK(quire_evict((void *)late, PAGES * PAGE));
    _exit(4);
}

static void test_a_flush_ends_while_a_read_blocks(void)
{
    assert_int_equal(end_of(flush_and_evict_while_it_blocks), 4 << 8);
}

static void exit_while_it_blocks(void)
{
    pthread_t thread;
    begin_to_wait(map_store(late_store(), 0), &thread);
    exit(3);
}

static void fault_while_it_blocks(void)
{
    volatile unsigned char *late = map_store(late_store(), 0);
    (void)late[5 * PAGE];
}

static void terminate_while_it_blocks(void)
{
    pthread_t thread;
    begin_to_wait(map_store(late_store(), 0), &thread);
    kill(getpid(), SIGTERM);
    sleep(30);
}

static void test_a_process_ends_while_a_store_blocks(void)
{
    assert_int_equal(end_of(exit_while_it_blocks), 3 << 8);
    int status = end_of(terminate_while_it_blocks);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* With all of its threads in a fault: then by SIGKILL. */
static void test_a_process_whose_store_blocks_can_be_killed(void)
{
    int status;
    enum quire_mode mode = quire_mode();
    pid_t pid = fork();
    if (pid == 0) {
        struct quire_options options = {.budget = 2 * MIB, .mode = mode};
        OK(quire_start(&options));
        fault_while_it_blocks();
        _exit(1);
    }
    usleep(100000);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- users, roots and limits -------------------------------------------------------------------- */

static void use_all(void)
{
    volatile unsigned char *memory = map_memory(PAGES), *file = map_store(store_create(PAGES), 0);
    for (size_t i = 0; i < PAGES; i++) {
        write_page(memory, i, i);
        assert_true(page_is(file, i, i + 1));
        write_page(file, i, i + 2);
    }
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(memory, i, i) && page_is(file, i, i + 2));
    OK(quire_unmap((void *)memory));
    OK(quire_unmap((void *)file));
}

/* The other threads are told by a signal, which a fault must not hold back. */
static void test_setuid_while_a_thread_is_in_a_fault(void)
{
    pthread_t thread;
    if (getuid() != 0)
        skip_test("root alone may become somebody else");
    add_swap(3 * PAGES);
    volatile unsigned char *late = map_store(late_store(), 0);
    alarm(20);
    begin_to_wait(late, &thread);
    assert_int_equal(setgid(65534), 0);
    assert_int_equal(setuid(65534), 0);
    end_to_wait(thread);
    use_all();
}

static void test_chroot(void)
{
    if (getuid() != 0)
        skip_test("root alone may have another root");
    add_swap(3 * PAGES);
    use_all();
    assert_int_equal(chroot("/proc"), 0);
    use_all();
    OK(quire_stop()); /* here: tables are checked with what isn't there any more */
}

static void limit_files(rlim_t most)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* However many there are, it works, or says that there are too few. */
static void test_quire_start_with_few_descriptors(void)
{
    const struct quire_options options[] = {{.budget = 2 * MIB, .mode = QUIRE_MODE_SIGNAL},
                                            {.budget = 2 * MIB, .mode = QUIRE_MODE_HANDLER},
                                            {.budget = 2 * MIB, .mode = QUIRE_MODE_VSPACE}};
    int most = dup(0), errors = 0;
    close(most);
    for (size_t i = 0; i < 3; i++)
        for (int more = 0; more < 5; more++) {
            limit_files(more == 0 ? 0 : (rlim_t)(most + more - 1));
            int error = quire_start(&options[i]);
            errors += error == ERR_NO_MEMORY;
            if (error == ERR_UNSUPPORTED && options[i].mode == QUIRE_MODE_HANDLER &&
                strstr(quire_why(), "not permitted"))
                break;
            assert_true(error == VM_OK || error == ERR_NO_MEMORY);
            assert_true(error == VM_OK || more < 4);
            if (error == VM_OK)
                OK(quire_stop());
        }
    assert_true(errors > 3);
}

static void test_regions_need_no_descriptors(void)
{
    void *address;
    struct test_store *store = store_create(PAGES);
    struct quire_mapping other = {.size = PAGE,
                                  .mode = quire_mode() == QUIRE_MODE_SIGNAL ? QUIRE_MODE_HANDLER
                                                                            : QUIRE_MODE_SIGNAL};
    add_swap(3 * PAGES);
    limit_files(0);
    volatile unsigned char *memory = map_memory(PAGES), *file = map_store(store, 0);
    for (size_t i = 0; i < PAGES; i++) {
        write_page(memory, i, i);
        file[i * PAGE]++;
    }
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(memory, i, i));
    assert_int_equal(quire_map(&other, &address), ERR_NO_MEMORY);
    limit_files(1000);
    assert_int_not_equal(quire_map(&other, &address), ERR_NO_MEMORY);
}

static void count_files_and_start(void)
{
    struct quire_options options = {.budget = 2 * MIB};
    size_t files = open_files();
    OK(quire_start(&options));
    OK(quire_stop());
    assert_int_equal(open_files(), files);
}

static void test_a_child_keeps_no_descriptor_of_quires(void)
{
    int status;
    OK(quire_stop());
    size_t before = open_files();
    struct quire_options options = {.budget = 2 * MIB, .mode = QUIRE_MODE_HANDLER};
    if (quire_start(&options) == ERR_UNSUPPORTED)
        skip_test(quire_why());
    pid_t pid = fork();
    if (pid == 0) {
        assert_int_equal(open_files(), before);
        count_files_and_start();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- the end, seen by another thread ------------------------------------------------------------ */

static const struct vm_store_ops *quick;

static void destroy_slowly(vm_store *store)
{
    __atomic_store_n(&waiting, 1, __ATOMIC_SEQ_CST);
    usleep(300000);
    quick->destroy(store);
}

static void *map_more(void *unused)
{
    struct quire_mapping mapping = {.size = PAGE};
    void *address;
    while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) == 0)
        usleep(1000);
    assert_int_equal(quire_map(&mapping, &address), ERR_UNSUPPORTED);
    return unused;
}

static void test_calls_beside_quire_stop(void)
{
    static struct vm_store_ops ops;
    struct test_store *store = store_create(4);
    pthread_t thread;
    quick = store->store.ops;
    ops = *quick;
    ops.destroy = destroy_slowly;
    store->store.ops = &ops;
    (void)map_store(store, 0);
    assert_int_equal(pthread_create(&thread, NULL, map_more, NULL), 0);
    OK(quire_stop());
    pthread_join(thread, NULL);
}

#define SMALL .budget = 2 * MIB
LINUX_MAIN(TEST_MODES(test_exit_beside_faults, SMALL),
           TEST_MODES(test_sigterm_beside_faults, SMALL),
           TEST_MODES(test_fork_and_exec_in_a_thread_beside_faults, SMALL),
           TEST_MODES(test_exec_beside_faults, SMALL),
           TEST_MODES(test_threads_that_are_cancelled_at_any_time_lock_nothing, SMALL),
           TEST_MODES(test_other_pages_come_while_a_store_blocks, SMALL),
           TEST_MODES(test_calls_end_while_a_store_blocks, SMALL),
           TEST_MODES(test_a_flush_ends_while_a_read_blocks, SMALL),
           TEST_MODES(test_a_process_ends_while_a_store_blocks, SMALL),
           TEST_MODES(test_a_process_whose_store_blocks_can_be_killed, SMALL),
           TEST_MODES(test_setuid_while_a_thread_is_in_a_fault, SMALL),
           TEST_MODES(test_chroot, SMALL),
           TEST_WITH(test_quire_start_with_few_descriptors, .budget = 0),
           TEST_MODES(test_regions_need_no_descriptors, SMALL),
           TEST_WITH(test_a_child_keeps_no_descriptor_of_quires, SMALL),
           TEST_MODES(test_calls_beside_quire_stop, SMALL))
