/* SPDX-License-Identifier: MIT */
/* Threads that read ahead: the first comes with the first region that may be, the others when there is something for
 * them to do, made by one of these, since a fault may be anywhere in the program, in malloc, too. */
#include "regions.h"

#define CLUSTER_PAGES (CLUSTER / VM_PAGE_SIZE)
_Static_assert(SPARE_WORDS * 64 >= PAGES_AT_ONCE + MOST_READERS * VM_MOST_AHEAD,
               "reads have spares");

static uint32_t wake, asleep, ending, running;
static uint32_t taken; /* a bit for each number of a reader */

/* What this thread reads ahead of. Where the variable is must be known without asking the loader, which may allocate. */
static __thread const vm_store *ahead_of __attribute__((tls_model("initial-exec")));
static __thread unsigned pieces __attribute__((tls_model("initial-exec")));

bool reader_is_busy(void)
{
    return pieces > 0;
}

bool reader_reads(const vm_store *store)
{
    return ahead_of == store;
}

void readers_start(void)
{
    wake = asleep = ending = running = taken = 0;
}

void readers_wake(void)
{
    __atomic_fetch_add(&wake, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&asleep, __ATOMIC_SEQ_CST) > 0)
        host_wake(&wake, 1);
}

/* As many as spares hold what they read for. */
static size_t most_readers(void)
{
    size_t most = process.spares / process.ahead;
    return most < MOST_READERS ? most : MOST_READERS;
}

/* MOST_READERS: all are taken. */
static size_t take_number(void)
{
    uint32_t now = __atomic_load_n(&taken, __ATOMIC_RELAXED);
    for (;;) {
        size_t number = (size_t)__builtin_ctz(~now);
        if (number >= most_readers())
            return MOST_READERS;
        if (__atomic_compare_exchange_n(&taken, &now, now | 1u << number, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return number;
    }
}

static void put_number(size_t number)
{
    __atomic_fetch_and(&taken, ~(1u << number), __ATOMIC_RELEASE);
}

/* The first page from `from` on, up to `end`, that isn't in memory; `end`. */
static addr_t find_absent(addr_t from, addr_t end)
{
    uint8_t has[CLUSTER_PAGES];
    size_t i = 0, count = (end - from) / VM_PAGE_SIZE;
    if (count == 0 || vm_get_residency(process.aid, from, end - from, has) != VM_OK)
        return end;
    while (i < count && has[i])
        i++;
    return from + i * VM_PAGE_SIZE;
}

/* The core maps what is around a page in its cluster alone, so that is asked for once at least; more often where pages
 * that were there lie between others, or frames were too few. */
static int bring_cluster(addr_t at, addr_t end, addr_t piece_end)
{
    addr_t absent = find_absent(at, end);
    addr_t page = absent < end ? absent : at;
    int error;
    do {
        error = vm_fault_ahead(process.aspace, page, VM_ACCESS_READ | VM_ACCESS_USER,
                               (piece_end - page) / VM_PAGE_SIZE);
        page = absent < end ? find_absent(page + VM_PAGE_SIZE, end) : end;
    } while (error == VM_OK && page < end);
    return error;
}

static int bring(const struct piece *piece)
{
    int error = VM_OK;
    for (addr_t at = piece->at; at < piece->end && error == VM_OK; at += CLUSTER)
        error =
            bring_cluster(at, piece->end - at < CLUSTER ? piece->end : at + CLUSTER, piece->end);
    return error;
}

static void show(const struct piece *piece)
{
    for (addr_t at = piece->at; at < piece->end; at += CLUSTER) {
        (void)away_return(at); /* as in fault_resolve */
        fill_around(at, at == piece->at ? piece->first : at, piece->end);
    }
}

/* A store may use regions itself, and so come to another piece. */
void piece_read(const struct piece *piece)
{
    struct region *region = piece->region;
    const vm_store *before = ahead_of;
    size_t limit = __atomic_load_n(&region->limit, __ATOMIC_RELAXED);
    pieces++;
    ahead_of = region->store;
    int error = bring(piece);
    ahead_of = before;
    if (error == VM_OK && limit != 0)
        limit_count(region, limit, (piece->end - piece->at) / VM_PAGE_SIZE, NO_PAGE);
    if (error == VM_OK)
        show(piece);
    pieces--;
    ahead_finish(piece, error);
}

static void hire(void);

/* False: there is nothing to read. */
static bool read_next(size_t number)
{
    struct piece piece;
    bool more;
    if (!ahead_take(number, &piece, &more))
        return false;
    if (more && __atomic_load_n(&asleep, __ATOMIC_SEQ_CST) > 0)
        readers_wake();
    else if (more)
        hire();
    piece_read(&piece);
    return true;
}

static void rest(uint32_t seen)
{
    __atomic_fetch_add(&asleep, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ending, __ATOMIC_ACQUIRE) == 0)
        (void)host_wait(&wake, seen, VM_NO_DEADLINE, false);
    __atomic_fetch_sub(&asleep, 1, __ATOMIC_RELAXED);
}

static int read_ahead(void *argument)
{
    size_t number = (size_t)(uintptr_t)argument;
    while (__atomic_load_n(&ending, __ATOMIC_ACQUIRE) == 0) {
        uint32_t seen = __atomic_load_n(&wake, __ATOMIC_SEQ_CST);
        if (!read_next(number))
            rest(seen);
    }
    put_number(number);
    __atomic_fetch_sub(&running, 1, __ATOMIC_RELEASE);
    host_wake(&running, UINT32_MAX);
    return VM_OK;
}

/* Another one. It is no error that there is none: then fewer read. */
static void hire(void)
{
    size_t number = take_number();
    if (number == MOST_READERS)
        return;
    __atomic_fetch_add(&running, 1, __ATOMIC_RELAXED);
    if (host_thread_create("reader", read_ahead, (void *)(uintptr_t)number) == VM_OK)
        return;
    put_number(number);
    __atomic_fetch_sub(&running, 1, __ATOMIC_RELAXED);
}

void readers_need(void)
{
    if (__atomic_load_n(&running, __ATOMIC_RELAXED) == 0)
        hire();
}

void readers_stop(void)
{
    uint32_t left;
    __atomic_store_n(&ending, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&wake, 1, __ATOMIC_SEQ_CST);
    host_wake(&wake, UINT32_MAX);
    while ((left = __atomic_load_n(&running, __ATOMIC_ACQUIRE)) != 0)
        (void)host_wait(&running, left, VM_NO_DEADLINE, false);
}
