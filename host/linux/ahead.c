/* SPDX-License-Identifier: MIT */
/* Which clusters are read before the program comes to them. A stream is one sequence of faults:
 *
 *        low                    marker        next                 end
 *         | a window             | the next one |                   |
 *   ------+----------------------+--------------+-------------------+------
 *           the program is here    it was read    it is to be read
 *
 * The page at the marker isn't shown: the fault there costs no read, and asks for the window behind `end`. As Linux does
 * (mm/readahead.c), windows grow as long as they are used. */
#include "regions.h"

#define STREAMS 16
#define SLOTS (MOST_READERS + 5)
#define FIRST_WINDOW (2 * CLUSTER)
#define LARGEST_WINDOW ((addr_t)2 << 20)
#define SHARE 16     /* of the frames: the windows of all streams that are in use */
#define FORGOTTEN 64 /* so many steps of others later a stream isn't in use */

struct stream {
    struct region *region; /* NULL: none */
    addr_t low, marker, next, end;
    addr_t window; /* the last one's size */
    uint32_t step; /* when it was gone on with */
};

static uint32_t ahead_lock; /* a leaf; guards all below */
static struct stream streams[STREAMS];
uint32_t ahead_used; /* streams; read without the lock, and so are markers */
static uint32_t steps;
static const struct piece *at_work[SLOTS]; /* of readers, then of faults */
static uint32_t finished;                  /* pieces; woken where somebody waits for one */
static uint32_t waiting;                   /* for that */

void ahead_start(void)
{
    ahead_lock = ahead_used = steps = finished = waiting = 0;
    for (size_t i = 0; i < STREAMS; i++)
        streams[i] = (struct stream){0};
    for (size_t i = 0; i < SLOTS; i++)
        at_work[i] = NULL;
}

static addr_t cluster_of(addr_t address)
{
    return address & ~(CLUSTER - 1);
}

/* ---- streams: => ahead_lock --------------------------------------------------------------------- */

static void set_marker(struct stream *s, addr_t marker)
{
    __atomic_store_n(&s->marker, marker, __ATOMIC_RELAXED);
}

static void end_stream(struct stream *s)
{
    if (!s->region)
        return;
    s->region = NULL;
    set_marker(s, 0);
    __atomic_store_n(&ahead_used, ahead_used - 1, __ATOMIC_RELAXED);
}

/* A fault behind the end goes on with it, if that is near: the page there may have been in memory. */
static struct stream *find(const struct region *region, addr_t address)
{
    for (size_t i = 0; i < STREAMS; i++)
        if (streams[i].region == region && address >= streams[i].low &&
            address < streams[i].end + CLUSTER)
            return &streams[i];
    return NULL;
}

/* A free one, or the one that was gone on with longest ago. */
static struct stream *take_stream(void)
{
    struct stream *oldest = &streams[0];
    for (size_t i = 0; i < STREAMS && oldest->region; i++)
        if (!streams[i].region || steps - streams[i].step > steps - oldest->step)
            oldest = &streams[i];
    end_stream(oldest);
    return oldest;
}

static size_t in_use(void)
{
    size_t count = 0;
    for (size_t i = 0; i < STREAMS; i++)
        count += streams[i].region && steps - streams[i].step < FORGOTTEN;
    return count > 0 ? count : 1;
}

/* The largest window now, in bytes: whole clusters. Of a stream two windows are ahead, at most. */
static addr_t most_of(const struct region *region)
{
    size_t limit = __atomic_load_n(&region->limit, __ATOMIC_RELAXED);
    size_t pages = process.frames / SHARE;
    if (limit != 0 && limit / SHARE < pages)
        pages = limit / SHARE;
    addr_t size = pages / in_use() * VM_PAGE_SIZE;
    return cluster_of(size < LARGEST_WINDOW ? size : LARGEST_WINDOW);
}

/* The next window begins at `from`. False: there is none. */
static bool add_window(struct stream *s, addr_t from, addr_t window)
{
    addr_t end = s->region->base + s->region->size, most = most_of(s->region);
    s->window = window < most ? window : most;
    s->step = ++steps;
    if (s->window == 0 || from >= end)
        return false;
    set_marker(s, from);
    s->end = end - from < s->window ? end : from + s->window;
    return true;
}

/* What is read ahead begins behind the cluster of `address`, which its fault reads. */
static bool begin_at(struct stream *s, addr_t address, addr_t window)
{
    s->low = cluster_of(address);
    s->next = s->end = s->low + CLUSTER;
    if (add_window(s, s->next, window))
        return true;
    end_stream(s);
    return false;
}

/* The program has come to the last window. */
static bool go_on(struct stream *s)
{
    s->low = cluster_of(s->marker);
    set_marker(s, 0);
    return add_window(s, s->end, 2 * s->window);
}

/* A piece of the region that has this page, or any; NULL. => ahead_lock */
static const struct piece *find_piece(const struct region *region, addr_t address)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (at_work[i] && at_work[i]->region == region &&
            (address == NO_PAGE || (address >= at_work[i]->at && address < at_work[i]->end)))
            return at_work[i];
    return NULL;
}

/* ---- faults ------------------------------------------------------------------------------------- */

void ahead_begin(struct region *region, addr_t address)
{
    lock(&ahead_lock);
    bool begun = false;
    bool is_its =
        address - region->base < region->size; /* a late fault may have found one of before */
    if (is_its && !region->is_left && !find(region, address)) {
        struct stream *s = take_stream();
        s->region = region;
        __atomic_store_n(&ahead_used, ahead_used + 1, __ATOMIC_RELAXED);
        begun = begin_at(s, address, FIRST_WINDOW);
    }
    unlock(&ahead_lock);
    if (begun)
        readers_wake();
}

void ahead_shown(const struct region *region, addr_t address)
{
    size_t i = 0;
    while (i < STREAMS && __atomic_load_n(&streams[i].marker, __ATOMIC_RELAXED) != address)
        i++;
    if (i == STREAMS)
        return;
    lock(&ahead_lock);
    bool more = streams[i].region == region && streams[i].marker == address && go_on(&streams[i]);
    unlock(&ahead_lock);
    if (more)
        readers_wake();
}

/* => ahead_lock. What is next is the slot's. */
static void take_piece(struct stream *s, struct piece *piece, size_t slot)
{
    addr_t most = process.ahead * VM_PAGE_SIZE, from = s->next;
    addr_t end = s->end - from < most ? s->end : from + most;
    if (s->marker > from && s->marker < end)
        end = s->marker;
    *piece = (struct piece){.region = s->region,
                            .slot = slot,
                            .at = from,
                            .end = end,
                            .first = from + (from == s->marker ? VM_PAGE_SIZE : 0)};
    s->next = end;
    at_work[slot] = piece;
}

/* => ahead_lock. No reader has come to the cluster yet, so the fault reads the piece; or, where there are many such
 * faults, the cluster alone. */
static bool take_late(struct stream *s, struct piece *piece)
{
    size_t slot = MOST_READERS;
    while (slot < SLOTS && at_work[slot])
        slot++;
    if (slot < SLOTS)
        take_piece(s, piece, slot);
    else
        s->next += CLUSTER;
    return slot < SLOTS;
}

struct found {
    struct piece piece;
    bool is_late; /* the piece is to be read by the fault */
    bool is_gone; /* or the page should be in memory */
    bool more;    /* there is something to do for readers */
};

/* => ahead_lock */
static void go_to(struct stream *s, addr_t address, struct found *found)
{
    addr_t cluster = cluster_of(address);
    if (cluster >= s->end)
        found->more = begin_at(s, address, s->window);
    else if (s->marker != 0 && cluster == cluster_of(s->marker))
        found->more = go_on(s);
    else if (cluster < s->next)
        found->is_gone = !find_piece(s->region, address);
    if (s->region && cluster == s->next && s->next < s->end)
        found->is_late = take_late(s, &found->piece);
}

/* What was read has gone before it was used, and so may the rest: the next windows are smaller. */
static void read_less(const struct region *region, addr_t address)
{
    lock(&ahead_lock);
    struct stream *s = find(region, address);
    if (s && s->window >= 2 * CLUSTER)
        s->window = cluster_of(s->window / 2);
    else if (s)
        end_stream(s);
    unlock(&ahead_lock);
}

bool ahead_fault(const struct region *region, addr_t address)
{
    struct found found = {.is_late = false};
    lock(&ahead_lock);
    struct stream *s = find(region, address);
    if (s)
        go_to(s, address, &found);
    unlock(&ahead_lock);
    if (found.is_gone && region_has(address))
        return false;
    if (found.is_gone)
        read_less(region, address);
    if (found.more)
        readers_wake();
    if (found.is_late)
        piece_read(&found.piece);
    return s != NULL;
}

/* ---- readers ------------------------------------------------------------------------------------ */

bool ahead_take(size_t reader, struct piece *piece, bool *more)
{
    struct stream *found = NULL;
    *more = false;
    lock(&ahead_lock);
    for (size_t i = 0; i < STREAMS; i++) {
        if (!streams[i].region || streams[i].next >= streams[i].end)
            continue;
        if (!found || steps - streams[i].step > steps - found->step)
            found = &streams[i];
    }
    if (found)
        take_piece(found, piece, reader);
    for (size_t i = 0; i < STREAMS; i++)
        *more |= streams[i].region && streams[i].next < streams[i].end;
    unlock(&ahead_lock);
    return found != NULL;
}

void ahead_finish(const struct piece *piece, int error)
{
    lock(&ahead_lock);
    struct stream *s = error == VM_OK ? NULL : find(piece->region, piece->at);
    at_work[piece->slot] = NULL;
    if (s)
        end_stream(s);
    bool is_awaited = waiting > 0;
    __atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE);
    unlock(&ahead_lock);
    if (is_awaited)
        host_wake(&finished, UINT32_MAX);
}

void ahead_drop(const struct region *region)
{
    lock(&ahead_lock);
    for (size_t i = 0; i < STREAMS; i++)
        if (streams[i].region == region)
            end_stream(&streams[i]);
    unlock(&ahead_lock);
}

void ahead_forbid(struct region *region)
{
    lock(&ahead_lock);
    region->is_left = true;
    unlock(&ahead_lock);
    ahead_drop(region);
}

/* Until the next piece is finished. False: the time is over. => ahead_lock, let go meanwhile */
static bool wait_for_next(uint64_t deadline)
{
    uint32_t seen = __atomic_load_n(&finished, __ATOMIC_RELAXED);
    waiting++;
    unlock(&ahead_lock);
    int error = host_wait(&finished, seen, deadline, false);
    lock(&ahead_lock);
    waiting--;
    return error != ERR_TIMED_OUT;
}

void ahead_wait(const struct region *region)
{
    lock(&ahead_lock);
    while (find_piece(region, NO_PAGE))
        (void)wait_for_next(VM_NO_DEADLINE);
    unlock(&ahead_lock);
}

#define PATIENCE_NS 20000000 /* a store may use regions for what the reader waits for */

void ahead_wait_for(const struct region *region, addr_t address)
{
    if (reader_is_busy())
        return;
    lock(&ahead_lock);
    bool found = find_piece(region, address) != NULL;
    uint64_t deadline = found ? host_time_ns() + PATIENCE_NS : 0;
    while (found && wait_for_next(deadline))
        found = find_piece(region, address) != NULL;
    unlock(&ahead_lock);
}
