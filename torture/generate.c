/* SPDX-License-Identifier: MIT */
#include "generate.h"

unsigned generate_pick(struct generator *g, unsigned limit)
{
    g->random ^= g->random << 13;
    g->random ^= g->random >> 7;
    g->random ^= g->random << 17;
    return (unsigned)((g->random >> 11) % limit);
}

void generate_start(struct generator *g, uint64_t seed, enum generate_profile profile)
{
    *g = (struct generator){.random = (seed + 1) * 0x9e3779b97f4a7c15u | 1, .profile = profile};
    for (unsigned i = 0; i < 4; i++)
        (void)generate_pick(g, 2);
}

/* How often each kind comes, of their sum. */
static const uint8_t weights[][OPERATION_KINDS] = {
    [GENERATE_ALL] =
        {[OPERATION_CREATE] = 10,     [OPERATION_MAP_FILE] = 8,  [OPERATION_MAP_DEVICE] = 2,
         [OPERATION_CREATE_NULL] = 1, [OPERATION_CLONE] = 6,     [OPERATION_DELETE_REGION] = 3,
         [OPERATION_UNMAP] = 5,       [OPERATION_PROTECT] = 9,   [OPERATION_RESIZE] = 6,
         [OPERATION_MOVE] = 5,        [OPERATION_DISCARD] = 6,   [OPERATION_SYNC] = 2,
         [OPERATION_WIRE] = 3,        [OPERATION_UNWIRE] = 3,    [OPERATION_INHERIT] = 3,
         [OPERATION_RESIDENCY] = 1,   [OPERATION_FIND_HOLE] = 2, [OPERATION_READ] = 60,
         [OPERATION_EXECUTE] = 4,     [OPERATION_WRITE] = 70,    [OPERATION_FORK] = 6,
         [OPERATION_NEW_SPACE] = 1,   [OPERATION_TRUNCATE] = 3,  [OPERATION_FILE_READ] = 4,
         [OPERATION_FILE_WRITE] = 4,  [OPERATION_LIMIT] = 1},
    [GENERATE_CALM] =
        {[OPERATION_CREATE] = 10,     [OPERATION_MAP_FILE] = 8,  [OPERATION_MAP_DEVICE] = 2,
         [OPERATION_CREATE_NULL] = 1, [OPERATION_CLONE] = 6,     [OPERATION_DELETE_REGION] = 3,
         [OPERATION_UNMAP] = 5,       [OPERATION_PROTECT] = 9,   [OPERATION_RESIZE] = 6,
         [OPERATION_MOVE] = 5,        [OPERATION_DISCARD] = 6,   [OPERATION_SYNC] = 2,
         [OPERATION_INHERIT] = 3,     [OPERATION_RESIDENCY] = 1, [OPERATION_FIND_HOLE] = 2,
         [OPERATION_READ] = 30,       [OPERATION_EXECUTE] = 4,   [OPERATION_WRITE] = 40,
         [OPERATION_FORK] = 8,        [OPERATION_NEW_SPACE] = 1, [OPERATION_TRUNCATE] = 3,
         [OPERATION_FILE_READ] = 4,   [OPERATION_FILE_WRITE] = 4},
    [GENERATE_POSIX] = {[OPERATION_CREATE] = 18,
                        [OPERATION_MAP_FILE] = 16,
                        [OPERATION_DELETE_REGION] = 2,
                        [OPERATION_UNMAP] = 4,
                        [OPERATION_PROTECT] = 10,
                        [OPERATION_RESIZE] = 5,
                        [OPERATION_MOVE] = 6,
                        [OPERATION_DISCARD] = 6,
                        [OPERATION_SYNC] = 2,
                        [OPERATION_INHERIT] = 3,
                        [OPERATION_READ] = 60,
                        [OPERATION_EXECUTE] = 8,
                        [OPERATION_WRITE] = 70,
                        [OPERATION_FORK] = 2,
                        [OPERATION_NEW_SPACE] = 1,
                        [OPERATION_TRUNCATE] = 3,
                        [OPERATION_FILE_READ] = 4,
                        [OPERATION_FILE_WRITE] = 4},
};

static bool is_posix(const struct generator *g)
{
    return g->profile == GENERATE_POSIX || g->profile == GENERATE_POSIX_ALONE;
}

static uint8_t pick_kind(struct generator *g)
{
    static unsigned sums[sizeof(weights) / sizeof(weights[0])];
    enum generate_profile profile = is_posix(g) ? GENERATE_POSIX : g->profile;
    const uint8_t *weight = weights[profile];
    unsigned *sum = &sums[profile], kind = 0;
    if (*sum == 0)
        for (unsigned i = 0; i < OPERATION_KINDS; i++)
            *sum += weight[i];
    unsigned at = generate_pick(g, *sum);
    while (at >= weight[kind])
        at -= weight[kind++];
    return (uint8_t)kind;
}

/* Mostly few pages, sometimes any number. */
static int32_t pick_pages(struct generator *g)
{
    return (int32_t)(1 + generate_pick(g, generate_pick(g, 5) == 0 ? WINDOW : 6));
}

static int32_t pick_lock(struct generator *g, unsigned flags)
{
    static const unsigned locks[] = {
        LOCK_RW,      LOCK_RW,     LOCK_RW, LOCK_RW, LOCK_RO, LOCK_RO, LOCK_RW | LOCK_EXECUTE,
        LOCK_EXECUTE, LOCK_NO_READ};
    unsigned lock = locks[generate_pick(g, sizeof(locks) / sizeof(locks[0]))];
    if (!is_posix(g) && generate_pick(g, 40) == 0)
        return (int32_t)(generate_pick(g, 256) & (flags | LOCK_MASK));
    for (unsigned bit = 1; bit <= REGION_NO_WRITE; bit <<= 1)
        if ((flags & bit) && generate_pick(g, 5) == 0)
            lock |= bit;
    return (int32_t)lock;
}

static int32_t pick_addr_type(struct generator *g)
{
    static const int32_t types[] = {REGION_ADDR_REPLACE,     REGION_ADDR_REPLACE,
                                    REGION_ADDR_REPLACE,     REGION_ADDR_EXACT_ADDRESS,
                                    REGION_ADDR_ANY_ADDRESS, REGION_ADDR_HINT,
                                    REGION_ADDR_TOP};
    static const int32_t posix[] = {REGION_ADDR_REPLACE, REGION_ADDR_REPLACE, REGION_ADDR_REPLACE,
                                    REGION_ADDR_EXACT_ADDRESS, REGION_ADDR_HINT};
    if (is_posix(g))
        return posix[generate_pick(g, 5)];
    return generate_pick(g, 60) == 0 ? 5 : types[generate_pick(g, 7)];
}

/* Where an access begins and how long it is: mostly some bytes of a page, sometimes several pages. */
static void pick_bytes(struct generator *g, int32_t *within, int32_t *length)
{
    *within = (int32_t)generate_pick(g, 4096);
    *length = (int32_t)(1 + generate_pick(g, generate_pick(g, 12) == 0 ? 8192 : 16));
}

static void pick_twist(struct generator *g, struct operation *o)
{
    static const uint8_t twists[] = {TWIST_UNALIGNED, TWIST_EMPTY,      TWIST_ODD_SIZE,
                                     TWIST_LONG,      TWIST_HUGE,       TWIST_NO_SPACE,
                                     TWIST_BAD_BITS,  TWIST_OTHER_SPACE};
    static const uint8_t posix[] = {TWIST_UNALIGNED, TWIST_EMPTY, TWIST_ODD_SIZE, TWIST_HUGE,
                                    TWIST_BAD_BITS};
    if (generate_pick(g, 25) == 0)
        o->twist = is_posix(g) ? posix[generate_pick(g, 5)] : twists[generate_pick(g, 8)];
}

static void fill_region(struct generator *g, struct operation *o)
{
    int32_t *a = o->argument;
    a[1] = pick_pages(g);
    a[2] = pick_addr_type(g);
    switch (o->kind) {
    case OPERATION_CREATE:
        a[3] = pick_lock(g, REGION_SHARED | REGION_GROWS_DOWN | REGION_OVERCOMMIT);
        a[4] = g->profile == GENERATE_ALL && generate_pick(g, 8) == 0 ? (int32_t)generate_pick(g, 5)
                                                                      : REGION_WIRING_LAZY;
        break;
    case OPERATION_MAP_FILE:
        a[3] = pick_lock(g, REGION_OVERCOMMIT | REGION_NO_WRITE);
        a[4] = (int32_t)generate_pick(g, 2);
        a[5] = (int32_t)generate_pick(g, FILES);
        a[6] = (int32_t)generate_pick(g, generate_pick(g, 2) == 0 ? 1 : FILE_PAGES);
        break;
    case OPERATION_MAP_DEVICE:
        a[3] = pick_lock(g, 0);
        a[4] = (int32_t)generate_pick(g, DEVICE_PAGES);
        break;
    case OPERATION_CLONE:
        a[1] = generate_pick(g, 2) == 0 ? o->space : (int32_t)generate_pick(g, SPACES);
        a[3] = pick_lock(g, REGION_OVERCOMMIT);
        a[4] = (int32_t)generate_pick(g, 2);
        a[5] = (int32_t)generate_pick(g, WINDOW);
        break;
    }
}

static void fill_range(struct generator *g, struct operation *o)
{
    int32_t *a = o->argument;
    a[1] = pick_pages(g);
    switch (o->kind) {
    case OPERATION_PROTECT:
        a[2] = pick_lock(g, 0);
        break;
    case OPERATION_MOVE:
        a[2] = pick_addr_type(g);
        a[3] = (int32_t)generate_pick(g, WINDOW);
        a[4] = generate_pick(g, 2) == 0 ? a[1] : pick_pages(g);
        break;
    case OPERATION_INHERIT:
        a[2] = (int32_t)generate_pick(g, generate_pick(g, 12) == 0 ? 4 : 3);
        break;
    case OPERATION_FIND_HOLE:
        a[2] = (int32_t)generate_pick(g, WINDOW);
        a[3] = (int32_t)generate_pick(g, WINDOW + 1);
        a[4] = (int32_t)generate_pick(g, 4);
        break;
    }
}

static void fill_other(struct generator *g, struct operation *o)
{
    int32_t *a = o->argument;
    switch (o->kind) {
    case OPERATION_READ:
    case OPERATION_EXECUTE:
    case OPERATION_WRITE:
        pick_bytes(g, &a[1], &a[2]);
        a[3] = o->kind == OPERATION_WRITE ? (int32_t)generate_pick(g, 256) : 0;
        break;
    case OPERATION_FORK:
        a[0] = (int32_t)generate_pick(g, SPACES - 1);
        break;
    case OPERATION_TRUNCATE:
        a[0] = (int32_t)generate_pick(g, FILES);
        a[1] = (int32_t)generate_pick(g, FILE_PAGES * 4096 + 1);
        if (generate_pick(g, 2) == 0)
            a[1] &= ~4095;
        break;
    case OPERATION_FILE_READ:
    case OPERATION_FILE_WRITE:
        a[0] = (int32_t)generate_pick(g, FILES);
        a[1] = (int32_t)generate_pick(g, FILE_PAGES * 4096);
        a[2] = (int32_t)generate_pick(g, generate_pick(g, 6) == 0 ? 3 * 4096 : 64);
        a[3] = o->kind == OPERATION_FILE_WRITE ? (int32_t)generate_pick(g, 256) : 0;
        break;
    case OPERATION_LIMIT:
        a[0] = generate_pick(g, 3) == 0 ? (int32_t)generate_pick(g, 512) : 460;
        break;
    }
}

/* A CPU stays in a space for a while, so that its TLB has something to forget, and others' operations on
 * the same space find it there. */
static void pick_place(struct generator *g)
{
    if (generate_pick(g, 8) == 0)
        g->space = (uint8_t)generate_pick(g, SPACES);
    if (generate_pick(g, 4) == 0)
        g->cpu = (uint8_t)generate_pick(g, TRACE_CPUS);
}

/* Most of a window is mapped, most of that can be written, and most of a file is there. */
static void favour_success(struct generator *g, struct operation *o)
{
    int32_t *a = o->argument, *lock = o->kind == OPERATION_PROTECT ? &a[2] : &a[3];
    bool new_region = o->kind == OPERATION_CREATE || o->kind == OPERATION_MAP_FILE;
    if (new_region)
        a[1] += (int32_t)generate_pick(g, 8);
    if (o->kind == OPERATION_MAP_FILE)
        a[6] %= 8;
    if (o->kind == OPERATION_TRUNCATE && generate_pick(g, 2) == 0)
        a[1] = FILE_PAGES * 4096 - a[1] / 4;
    if ((new_region || o->kind == OPERATION_PROTECT) && generate_pick(g, 2) == 0)
        *lock = (*lock & ~(int32_t)LOCK_NO_READ) | (int32_t)LOCK_RW;
}

/* Linux has no window that ranges could leave, and all there is to execute is a page's first byte. */
static void make_posix(struct generator *g, struct operation *o)
{
    int32_t *a = o->argument;
    favour_success(g, o);
    if (o->kind <= OPERATION_FIND_HOLE && a[1] > WINDOW - a[0])
        a[1] = WINDOW - a[0];
    if (o->kind == OPERATION_MOVE && a[4] > WINDOW - a[3])
        a[4] = WINDOW - a[3];
    bool return_byte = o->kind == OPERATION_WRITE && generate_pick(g, 4) == 0;
    if (g->profile == GENERATE_POSIX_ALONE && o->kind == OPERATION_FORK)
        o->kind = OPERATION_EXECUTE;
    if (o->kind == OPERATION_EXECUTE || return_byte)
        a[1] = 0;
    if (o->kind == OPERATION_EXECUTE)
        a[2] = 1;
    if (return_byte)
        a[3] = RETURN_BYTE;
    if (g->profile == GENERATE_POSIX_ALONE)
        o->space = 0;
}

void generate_next(struct generator *g, struct operation *o)
{
    pick_place(g);
    *o = (struct operation){.kind = pick_kind(g), .space = g->space, .cpu = g->cpu};
    o->argument[0] = (int32_t)generate_pick(g, WINDOW);
    if (o->kind <= OPERATION_CLONE)
        fill_region(g, o);
    else if (o->kind <= OPERATION_FIND_HOLE)
        fill_range(g, o);
    else
        fill_other(g, o);
    pick_twist(g, o);
    if (is_posix(g))
        make_posix(g, o);
    operation_clamp(o);
}
