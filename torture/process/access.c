/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- signals ------------------------------------------------------------------------------------ */

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t expecting;
static __thread void *volatile caught_at;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (!expecting) {
        signal(number, SIG_DFL);
        return;
    }
    caught_at = info->si_addr;
    siglongjmp(back, number);
}

void access_start(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
}

/* What is done to a page: the bytes from there to here, or one word. */
struct access {
    void *to;
    const void *from;
    size_t size;
    uint64_t add;
};

static void perform(const struct access *access)
{
    void *to = access->to;
    const void *from = access->from;
    size_t size = access->size;
    if (size == 0)
        __atomic_fetch_add((uint64_t *)to, access->add, __ATOMIC_RELAXED);
    else
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static int caught(const struct access *access)
{
    int number = sigsetjmp(back, 1);
    expecting = 1;
    if (number == 0)
        perform(access);
    expecting = 0;
    return number;
}

int access_touch(const unsigned char *at)
{
    unsigned char byte;
    return caught(&(struct access){.to = &byte, .from = at, .size = 1});
}

/* ---- what an access gives ------------------------------------------------------------------------ */

/* The region of an address. */
static const struct region *region_at(const unsigned char *at)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (world.region[i].at != NULL &&
            (size_t)(at - world.region[i].at) < world.region[i].pages * PAGE)
            return &world.region[i];
    violation("no region is at %p", (const void *)at);
}

/* A disk that fails may be the reason; then it must be possible when none does. By messages, an access that has
 * failed is an error for some milliseconds more. */
static int try_again(const struct access *access, const unsigned char *at, bool was_failing)
{
    bool lasts = region_at(at)->mode == QUIRE_MODE_HANDLER;
    int number = SIGBUS;
    if (!was_failing && !(lasts && world.ever_failing))
        return SIGBUS;
    outcome->signals++;
    world_fail_nothing();
    for (unsigned tries = 0; number == SIGBUS && tries < (lasts ? 200 : 1); tries++) {
        if (tries > 0)
            usleep(2000);
        number = caught(access);
    }
    return number;
}

static void access_as_expected(const struct access *access, unsigned char *at, int expected,
                               bool writes)
{
    bool was_failing = world_is_failing();
    int number = caught(access);
    if (number != 0 && (caught_at < (void *)((size_t)at & ~(PAGE - 1)) ||
                        caught_at >= (void *)(((size_t)at & ~(PAGE - 1)) + PAGE)))
        violation("a signal for %p at an access of %p", caught_at, (void *)at);
    if (number == SIGBUS && expected == 0)
        number = try_again(access, at, was_failing);
    if (number != expected)
        violation("signal %d instead of %d at %s of %p", number, expected,
                  writes ? "a write" : "a read", (void *)at);
    outcome->signals += number != 0;
}

static int signal_of(const struct region *region, size_t page, bool writes)
{
    if (writes && (region->read_only || (region->page[page] & PAGE_PROTECTED)))
        return SIGSEGV;
    return page < region->end ? 0 : SIGBUS;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static bool is_zero(const unsigned char *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static void say_difference(const struct region *region, size_t page, size_t from, size_t size,
                           const unsigned char *seen)
{
    const unsigned char *bytes = region->bytes + page * PAGE + from;
    size_t i = 0;
    while (i < size && seen[i] == bytes[i])
        i++;
    violation("page %zu of the region of %zu pages at %p: byte %zu is %#x instead of %#x", page,
              region->pages, (void *)region->at, from + i, seen[i], bytes[i]);
}

void access_compare(struct region *region, size_t page, size_t from, size_t size)
{
    unsigned char seen[PAGE], *at = region->at + page * PAGE + from;
    unsigned char *bytes = region->bytes + page * PAGE;
    int expected = signal_of(region, page, false);
    access_as_expected(&(struct access){.to = seen, .from = at, .size = size}, at, expected, false);
    outcome->verified += size;
    if (expected != 0 || memcmp(seen, bytes + from, size) == 0)
        return;
    if (!(region->page[page] & PAGE_MAY_BE_ZERO) || !is_zero(seen, size))
        say_difference(region, page, from, size, seen);
    if (region->page[page] & PAGE_MAY_COME_BACK)
        return;
    memset(bytes, 0, PAGE);
    region->page[page] &= (uint8_t)~PAGE_MAY_BE_ZERO;
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* `bytes` of the world are with what was written, as if nothing had been forgotten. */
static void settle(struct region *region, size_t page, size_t from, size_t size)
{
    unsigned char seen[PAGE], zeros[PAGE] = {0}, *at = region->at + page * PAGE;
    unsigned char *bytes = region->bytes + page * PAGE;
    access_as_expected(&(struct access){.to = seen, .from = at, .size = PAGE}, at, 0, false);
    memcpy(zeros + from, bytes + from, size);
    if (memcmp(seen, bytes, PAGE) != 0 && memcmp(seen, zeros, PAGE) != 0)
        say_difference(region, page, 0, PAGE, seen);
    memcpy(bytes, seen, PAGE);
    if (!(region->page[page] & PAGE_MAY_COME_BACK) || !world_is_failing())
        region->page[page] &= (uint8_t) ~(PAGE_MAY_BE_ZERO | PAGE_MAY_COME_BACK);
}

void access_has_written(struct region *region, size_t page, size_t from, size_t size)
{
    region->page[page] |= PAGE_WRITTEN;
    if (region->page[page] & PAGE_MAY_BE_ZERO)
        settle(region, page, from, size);
}

void access_write(struct region *region, size_t page, size_t from, size_t size, const void *bytes)
{
    unsigned char *at = region->at + page * PAGE + from;
    int expected = signal_of(region, page, true);
    access_as_expected(&(struct access){.to = at, .from = bytes, .size = size}, at, expected, true);
    if (expected != 0)
        return;
    memcpy(region->bytes + page * PAGE + from, bytes, size);
    access_has_written(region, page, from, size);
}

void access_copy(const struct region *from, size_t page, struct region *to, size_t to_page)
{
    unsigned char *at = to->at + to_page * PAGE;
    const unsigned char *source = from->at + page * PAGE;
    struct access access = {.to = at, .from = source, .size = PAGE};
    bool was_failing = world_is_failing();
    int number = caught(&access);
    for (unsigned i = 0; number == SIGBUS && i < 3; i++) {
        bool is_source = (size_t)caught_at - (size_t)source < PAGE;
        number = try_again(&access, is_source ? source : at, was_failing);
    }
    if (number != 0)
        violation("signal %d at a copy from %p to %p", number, (const void *)source, (void *)at);
    memcpy(to->bytes + to_page * PAGE, from->bytes + page * PAGE, PAGE);
    access_has_written(to, to_page, 0, PAGE);
}

void access_add(struct region *region, size_t page, size_t word, uint64_t value)
{
    unsigned char *at = region->at + page * PAGE + word * sizeof(value);
    uint64_t *bytes = (uint64_t *)(void *)(region->bytes + page * PAGE) + word;
    int expected = signal_of(region, page, true);
    access_as_expected(&(struct access){.to = at, .add = value}, at, expected, true);
    if (expected != 0)
        return;
    if (region->page[page] & PAGE_MAY_BE_ZERO) /* what was added to is in the page */
        *bytes = __atomic_load_n((uint64_t *)(void *)at, __ATOMIC_RELAXED);
    else
        *bytes += value;
    access_has_written(region, page, word * sizeof(value), sizeof(value));
}
