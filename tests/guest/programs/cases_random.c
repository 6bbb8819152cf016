/* SPDX-License-Identifier: MIT */
/* Operations picked at random, the same ones on every machine, on a range of their own: what each
 * gives, and what is in memory afterwards, must be what it is on Linux. */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define ARENA_PAGES 48
#define FILE_PAGES 24
#define OPERATIONS 300
#define FORK_LEVELS 3

static uint8_t *arena;
static int file;
static uint64_t state;
static unsigned level; /* forks above this process */
/* Where shared anonymous memory is. On Linux its object has a fixed size, behind which there is
 * SIGBUS; here it grows with its mapping. So it isn't grown in these cases. */
static bool shared[ARENA_PAGES];

static unsigned pick(unsigned limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % limit;
}

/* A range of the arena. */
struct range {
    unsigned first, pages;
};

static struct range pick_range(unsigned most)
{
    struct range range = {pick(ARENA_PAGES), 1 + pick(most)};
    if (range.pages > ARENA_PAGES - range.first)
        range.pages = ARENA_PAGES - range.first;
    return range;
}

static uint8_t *page(unsigned number)
{
    return arena + number * PAGE;
}

/* ---- accesses, most of which fault ---- */

static sigjmp_buf recovery;
static volatile int caught;

static void catch_fault(int number, siginfo_t *information, void *context)
{
    (void)context;
    caught = number * 10 + information->si_code;
    siglongjmp(recovery, 1);
}

/* The byte, or the signal and its code, negative. */
static int read_byte(unsigned number)
{
    if (sigsetjmp(recovery, 1) != 0)
        return -caught;
    return *(volatile uint8_t *)page(number);
}

static int write_byte(unsigned number, unsigned value)
{
    if (sigsetjmp(recovery, 1) != 0)
        return -caught;
    *(volatile uint8_t *)page(number) = (uint8_t)value;
    return 0;
}

static void say_contents(void)
{
    char text[400];
    size_t length = 0;
    for (unsigned i = 0; i < ARENA_PAGES; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, " %d", read_byte(i));
    say("contents, level %u:%s", level, text);
}

/* ---- operations ---- */

static int pick_protection(void)
{
    static const int protections[] = {PROT_NONE, PROT_READ, RW, RW, RW, PROT_READ | PROT_EXEC};
    return protections[pick(6)];
}

static void note_shared(struct range range, bool value)
{
    for (unsigned i = 0; i < range.pages; i++)
        shared[range.first + i] = value;
}

static long map_anonymous(struct range range)
{
    bool share = pick(3) == 0;
    int flags = MAP_ANONYMOUS | MAP_FIXED | (share ? MAP_SHARED : MAP_PRIVATE);
    note_shared(range, share);
    void *at = mmap(page(range.first), range.pages * PAGE, pick_protection(), flags, -1, 0);
    return at == page(range.first) ? 0 : -1;
}

static long map_file(struct range range)
{
    int flags = MAP_FIXED | (pick(2) == 0 ? MAP_SHARED : MAP_PRIVATE);
    off_t offset = (off_t)(pick(FILE_PAGES) * PAGE);
    note_shared(range, false);
    void *at = mmap(page(range.first), range.pages * PAGE, pick_protection(), flags, file, offset);
    return at == page(range.first) ? 0 : -1;
}

static long move_page(struct range range)
{
    unsigned to = pick(ARENA_PAGES);
    if (range.pages > ARENA_PAGES - to)
        range.pages = ARENA_PAGES - to;
    if (shared[range.first])
        range.pages = 1;
    void *at = mremap(page(range.first), PAGE, range.pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                      page(to));
    if (at != page(to))
        return -1;
    note_shared((struct range){to, range.pages}, shared[range.first]);
    return 0;
}

static long change_file(void)
{
    uint8_t byte = (uint8_t)pick(256);
    if (pick(3) == 0)
        return ftruncate(file, (off_t)(pick(FILE_PAGES * (unsigned)PAGE)));
    return pwrite(file, &byte, 1, (off_t)(pick(FILE_PAGES) * PAGE));
}

/* By a call: the kernel's own access to the page. */
static long read_by_call(unsigned number)
{
    return pread(file, page(number), 3 * PAGE / 2, (off_t)(pick(FILE_PAGES) * PAGE));
}

static void run_operations(unsigned count);

static long fork_and_go_on(void)
{
    if (level == FORK_LEVELS)
        return 0;
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        level++;
        run_operations(pick(30));
        say_contents();
        _exit(0);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static long do_operation(unsigned kind)
{
    struct range range = pick_range(10);
    uint8_t *at = page(range.first);
    size_t size = range.pages * PAGE;
    switch (kind) {
    case 0:
    case 1:
        return map_anonymous(range);
    case 2:
    case 3:
        return map_file(range);
    case 4:
        return munmap(at, size);
    case 5:
    case 6:
        return mprotect(at, size, pick_protection());
    case 7:
        return madvise(at, size, MADV_DONTNEED);
    case 8:
        return move_page(range);
    case 9:
        return change_file();
    case 10:
        return msync(at, size, MS_SYNC);
    case 11:
        return read_by_call(range.first);
    case 12:
        return fork_and_go_on();
    case 13:
    case 14:
        return read_byte(range.first);
    default:
        return write_byte(range.first, pick(256));
    }
}

static void run_operations(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned kind = pick(22);
        long result = do_operation(kind);
        say("%u.%u: %u = %ld%s%s", level, i, kind, result, result == -1 ? " " : "",
            result == -1 ? error_name(errno) : "");
        if (i % 25 == 24)
            say_contents();
    }
}

static void run_seed(unsigned seed)
{
    struct sigaction action = {.sa_sigaction = catch_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    state = seed * 7919u + 1;
    arena = mmap(NULL, ARENA_PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(arena != MAP_FAILED, "mmap");
    file = make_file("tmp/random", FILE_PAGES * PAGE);
    run_operations(OPERATIONS);
    say_contents();
}

#define SEED(number)                                                                               \
    static void seed_##number(void)                                                                \
    {                                                                                              \
        run_seed(number);                                                                          \
    }

SEED(1)
SEED(2)
SEED(3)
SEED(4)
SEED(5)
SEED(6)
SEED(7)
SEED(8)
SEED(9)
SEED(10)
SEED(11)
SEED(12)
SEED(13)
SEED(14)
SEED(15)
SEED(16)

#define CASE(number)                                                                               \
    {                                                                                              \
        "random.seed_" #number, seed_##number                                                      \
    }

const struct guest_case random_cases[] = {
    CASE(1),  CASE(2),  CASE(3),  CASE(4),  CASE(5),  CASE(6),  CASE(7),  CASE(8),      CASE(9),
    CASE(10), CASE(11), CASE(12), CASE(13), CASE(14), CASE(15), CASE(16), {NULL, NULL},
};
