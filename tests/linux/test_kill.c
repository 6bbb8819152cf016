/* SPDX-License-Identifier: MIT */
/* A process that pages itself is killed at any moment: what a flush had confirmed is in the file, and nothing is
 * there that was never written. Compressed stores have nothing to lose: they end with their process. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <quire/stores.h>

#define PAGES 1200 /* several times the budget */
#define WRITERS 3
#define ROUNDS 12

/* Of each page: the last number whose writing has begun, and the last that a flush has confirmed. */
struct ledger {
    uint64_t begun[PAGES], confirmed[PAGES];
};

static struct ledger *ledger;
static volatile unsigned char *region;
static char path[64];

static vm_store *open_file(unsigned flags)
{
    vm_store *store;
    struct vm_store_file_options options = {
        .path = path, .flags = VM_STORE_FILE_WRITABLE | flags, .length = (off_t)(PAGES * PAGE)};
    OK(vm_store_create_file(&options, &store));
    return store;
}

static vm_store *open_plain(void)
{
    return open_file(0);
}

static vm_store *open_without_ring(void)
{
    return open_file(VM_STORE_FILE_NO_RING);
}

static vm_store *open_checked(void)
{
    vm_store *store;
    struct vm_store_checksum_options options = {.below = open_file(0), .pages = PAGES};
    OK(vm_store_create_checksum(&options, &store));
    return store;
}

/* ---- the process that is killed ----------------------------------------------------------------- */

static void write_next(size_t page)
{
    uint64_t number = __atomic_add_fetch(&ledger->begun[page], 1, __ATOMIC_RELEASE);
    write_page(region, page, number);
}

/* Pages next to each other are flushed together; each page is one thread's. */
static void *write_and_flush(void *argument)
{
    size_t own = PAGES / WRITERS, base = (size_t)(uintptr_t)argument * own;
    for (uint64_t state = base + 1;;) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t first = (state >> 33) % own, count = 1 + (state >> 20) % 8;
        if (first + count > own)
            count = own - first;
        for (size_t i = 0; i < count; i++)
            write_next(base + first + i);
        OK(quire_flush((void *)(region + (base + first) * PAGE), count * PAGE));
        for (size_t page = base + first; page < base + first + count; page++)
            __atomic_store_n(&ledger->confirmed[page], ledger->begun[page], __ATOMIC_RELEASE);
    }
    return NULL;
}

/* Pages are also written that nobody flushes, and all are evicted now and then. */
static _Noreturn void be_killed(enum quire_mode mode, vm_store *(*open_store)(void))
{
    struct quire_options options = {.budget = 2 * MIB, .mode = mode, .daemons = 1};
    struct quire_mapping mapping = {.store = open_store(), .size = PAGES * PAGE};
    void *address;
    pthread_t thread;
    if (quire_start(&options) == ERR_UNSUPPORTED)
        _exit(77);
    OK(quire_map(&mapping, &address));
    region = address;
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&thread, NULL, write_and_flush, (void *)i), 0);
    for (size_t i = 0;; i++)
        OK(quire_evict((void *)(region + i * 37 % (PAGES - 50) * PAGE), 50 * PAGE));
}

/* ---- what is left ------------------------------------------------------------------------------- */

static uint64_t confirmations(void)
{
    uint64_t sum = 0;
    for (size_t page = 0; page < PAGES; page++)
        sum += ledger->confirmed[page];
    return sum;
}

/* A page whose writing was under way may have words of the one before. */
static void look_at_page(const unsigned char *file, size_t page)
{
    const uint64_t *words = (const uint64_t *)(const void *)(file + page * PAGE);
    for (size_t i = 0; i < PAGE / 8; i++)
        if (words[i] < ledger->confirmed[page] || words[i] > ledger->begun[page])
            fail_msg("page %zu, word %zu: %lu, confirmed %lu, begun %lu", page, i,
                     (unsigned long)words[i], (unsigned long)ledger->confirmed[page],
                     (unsigned long)ledger->begun[page]);
}

/* The next process goes on from what is there. */
static void look_at_file(void)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, PAGES * PAGE);
    const unsigned char *file = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(file != MAP_FAILED);
    for (size_t page = 0; page < PAGES; page++)
        look_at_page(file, page);
    munmap((void *)(uintptr_t)file, PAGES * PAGE);
    close(fd);
}

static bool kill_one(enum quire_mode mode, vm_store *(*open_store)(void), unsigned round)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        be_killed(mode, open_store);
    usleep(20000 + round * 7919 % 60000);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        return false;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    look_at_file();
    return true;
}

static void kill_often(enum quire_mode mode, vm_store *(*open_store)(void))
{
    snprintf(path, sizeof path, "/tmp/quire-kill-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0 && ftruncate(fd, (off_t)(PAGES * PAGE)) == 0);
    close(fd);
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(ledger != MAP_FAILED);
    bool may = true;
    for (unsigned round = 0; round < ROUNDS && may; round++)
        may = kill_one(mode, open_store, round);
    unlink(path);
    if (may)
        assert_true(confirmations() > ROUNDS * 10);
}

static void test_file_by_signals(void)
{
    kill_often(QUIRE_MODE_SIGNAL, open_plain);
}

static void test_file_by_messages(void)
{
    kill_often(QUIRE_MODE_HANDLER, open_plain);
}

static void test_file_without_ring(void)
{
    kill_often(QUIRE_MODE_SIGNAL, open_without_ring);
}

static void test_checked_file_by_signals(void)
{
    kill_often(QUIRE_MODE_SIGNAL, open_checked);
}

static void test_checked_file_by_messages(void)
{
    kill_often(QUIRE_MODE_HANDLER, open_checked);
}

LINUX_MAIN(TEST_WITH(test_file_by_signals, .budget = 0),
           TEST_WITH(test_file_by_messages, .budget = 0),
           TEST_WITH(test_file_without_ring, .budget = 0),
           TEST_WITH(test_checked_file_by_signals, .budget = 0),
           TEST_WITH(test_checked_file_by_messages, .budget = 0))
