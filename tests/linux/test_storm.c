/* SPDX-License-Identifier: MIT */
/* Eight threads, each interrupted a thousand times a second by a timer whose handler uses regions, too, on memory
 * ten times the budget; children come and go meanwhile. Every byte is looked at. */
#include "support.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define PAGES (10 * 2 * MIB / PAGE) /* ten times the budget */
#define OWN (PAGES / THREADS)
#define SECONDS 2
#define TICK SIGRTMIN

/* A page is written by its thread or by that thread's handler: what it must hold is known to both. */
struct thread {
    pthread_t thread;
    unsigned number;
    volatile unsigned char *at;
    uint32_t version[OWN];
    volatile sig_atomic_t busy; /* the page that the thread is at, which its handler leaves */
    uint32_t ticks;             /* atomic */
    uint64_t state, handler_state;
    bool failed; /* atomic */
};

static struct thread threads[THREADS];
static __thread struct thread *self;
static uint32_t stop;

static uint64_t random_of(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t value_of(size_t page, uint32_t version)
{
    return version == 0 ? 0 : (page + 1) * 1000000 + version;
}

static void use_page(struct thread *t, size_t own, bool writes)
{
    size_t page = own * THREADS + t->number;
    if (!page_is(t->at, page, value_of(page, t->version[own])))
        __atomic_store_n(&t->failed, true, __ATOMIC_RELAXED);
    if (writes)
        write_page(t->at, page, value_of(page, ++t->version[own]));
}

static void on_tick(int number)
{
    int saved = errno;
    (void)number;
    if (self) {
        size_t own = random_of(&self->handler_state) % OWN;
        if ((sig_atomic_t)own != self->busy)
            use_page(self, own, own % 2 == 0);
        __atomic_fetch_add(&self->ticks, 1, __ATOMIC_RELAXED);
    }
    errno = saved;
}

static void start_timer(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TICK};
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    struct itimerspec often = {{0, 1000000}, {0, 1000000}};
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &often, NULL), 0);
}

static void *run(void *argument)
{
    struct thread *t = argument;
    self = t;
    t->busy = -1;
    start_timer();
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) &&
           !__atomic_load_n(&t->failed, __ATOMIC_RELAXED)) {
        size_t own = random_of(&t->state) % OWN;
        t->busy = (sig_atomic_t)own;
        use_page(t, own, random_of(&t->state) % 2);
        t->busy = -1;
    }
    self = NULL;
    return NULL;
}

/* A child has no regions, and ends. */
static void have_child(void)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct quire_info info;
        _exit(quire_get_info(&info) == ERR_UNSUPPORTED ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void look_at_all(const volatile unsigned char *at)
{
    for (unsigned t = 0; t < THREADS; t++)
        for (size_t own = 0; own < OWN; own++) {
            size_t page = own * THREADS + t;
            assert_true(page_is(at, page, value_of(page, threads[t].version[own])));
        }
}

static bool all_were_interrupted(void)
{
    for (unsigned i = 0; i < THREADS; i++)
        if (__atomic_load_n(&threads[i].ticks, __ATOMIC_RELAXED) <= 10 &&
            !__atomic_load_n(&threads[i].failed, __ATOMIC_RELAXED))
            return false;
    return true;
}

/* ThreadSanitizer runs handlers of signals later, with all signals blocked, SIGBUS of an access, too: then Linux ends
 * the process. */
static void storm(volatile unsigned char *at)
{
    if (CHECKS_RACES && quire_mode() == QUIRE_MODE_SIGNAL)
        skip_test("beside ThreadSanitizer no handler of a signal can fault by SIGBUS");
    struct sigaction tick = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    sigaction(TICK, &tick, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] =
            (struct thread){.number = i, .at = at, .state = i + 1, .handler_state = i + 77};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, run, &threads[i]), 0);
    }
    for (time_t end = time(NULL) + SECONDS; time(NULL) < end || !all_were_interrupted();
         usleep(10000))
        have_child();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i].thread, NULL);
        assert_false(threads[i].failed);
    }
    look_at_all(at);
}

static void test_storm_on_memory(void)
{
    add_swap(PAGES + 1000);
    storm(map_memory(PAGES));
}

static void test_storm_on_a_store(void)
{
    struct test_store *store = store_create(PAGES);
    memset(store->bytes, 0, PAGES * PAGE);
    madvise_away(store);
    storm(map_store(store, 0));
}

LINUX_MAIN(TEST_MODES(test_storm_on_memory, .budget = 2 * MIB),
           TEST_MODES(test_storm_on_a_store, .budget = 2 * MIB, .daemons = 1))
