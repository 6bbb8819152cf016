/* SPDX-License-Identifier: MIT */
#include "call.h"

#include <string.h>

static const struct {
    const char *name;
    unsigned weight;
    bool has_range; /* which may be twisted */
} kinds[CALL_KINDS] = {
    [CALL_MAP_MEMORY] = {"map-memory", 30, false},
    [CALL_MAP_STORE] = {"map-store", 45, false},
    [CALL_MAP_WRONG] = {"map-wrong", 5, false},
    [CALL_UNMAP] = {"unmap", 30, true},
    [CALL_SNAPSHOT] = {"snapshot", 40, true},
    [CALL_RESTART] = {"restart", 1, false},
    [CALL_READ] = {"read", 180, false},
    [CALL_WRITE] = {"write", 220, false},
    [CALL_COPY] = {"copy", 60, false},
    [CALL_ADD] = {"add", 40, false},
    [CALL_PROTECT] = {"protect", 40, true},
    [CALL_POPULATE] = {"populate", 50, true},
    [CALL_PREFETCH] = {"prefetch", 30, true},
    [CALL_PIN] = {"pin", 35, true},
    [CALL_UNPIN] = {"unpin", 35, true},
    [CALL_FLUSH] = {"flush", 60, true},
    [CALL_EVICT] = {"evict", 80, true},
    [CALL_ADVISE] = {"advise", 50, true},
    [CALL_CHANGED] = {"changed", 50, true},
    [CALL_LIMIT] = {"limit", 20, true},
    [CALL_SYSTEM_READ] = {"system-read", 40, false},
    [CALL_SYSTEM_WRITE] = {"system-write", 40, false},
    [CALL_PEEK] = {"peek", 20, false},
    [CALL_FAIL_READS] = {"fail-reads", 20, false},
    [CALL_FAIL_WRITES] = {"fail-writes", 20, false},
    [CALL_FAIL_NOTHING] = {"fail-nothing", 30, false},
    [CALL_FORK] = {"fork", 3, false},
    [CALL_COMPARE] = {"compare", 6, false},
};

static const char *const twists[] = {"",     "empty",   "long",    "huge",     "behind",
                                     "null", "foreign", "strange", "unaligned"};
#define TWISTS (sizeof(twists) / sizeof(twists[0]))

const char *call_name(unsigned kind)
{
    return kinds[kind].name;
}

/* ---- from a seed -------------------------------------------------------------------------------- */

uint64_t call_random(uint64_t *seed)
{
    uint64_t x = *seed += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint8_t choose_kind(uint64_t *seed)
{
    static unsigned all;
    if (all == 0)
        for (unsigned i = 0; i < CALL_KINDS; i++)
            all += kinds[i].weight;
    unsigned at = (unsigned)(call_random(seed) % all);
    uint8_t kind = 0;
    for (; at >= kinds[kind].weight; kind++)
        at -= kinds[kind].weight;
    return kind;
}

/* Few pages as a rule, so that operations meet. */
void call_generate(uint64_t *seed, struct call *call)
{
    *call = (struct call){.kind = choose_kind(seed)};
    for (unsigned i = 0; i < CALL_ARGUMENTS; i++)
        call->argument[i] = (uint32_t)(call_random(seed) >> 32);
    if (call_random(seed) % 3 != 0)
        call->argument[2] %= 20;
    if (kinds[call->kind].has_range && call_random(seed) % 12 == 0)
        call->twist = (uint8_t)(call_random(seed) % TWISTS);
}

/* ---- text --------------------------------------------------------------------------------------- */

void call_print(const struct call *call, FILE *file)
{
    fprintf(file, "%s %u %u %u %u%s%s\n", kinds[call->kind].name, call->argument[0],
            call->argument[1], call->argument[2], call->argument[3], call->twist ? " " : "",
            twists[call->twist]);
}

bool call_parse(const char *line, struct call *call)
{
    char name[24], twist[24] = "", rest[2] = "";
    uint32_t *a = call->argument;
    int words =
        sscanf(line, "%23s %u %u %u %u %23s %1s", name, &a[0], &a[1], &a[2], &a[3], twist, rest);
    if (words != 5 && words != 6)
        return false;
    for (call->kind = 0; call->kind < CALL_KINDS; call->kind++)
        if (strcmp(kinds[call->kind].name, name) == 0)
            break;
    for (call->twist = 0; call->twist < TWISTS; call->twist++)
        if (strcmp(twists[call->twist], twist) == 0)
            break;
    return call->kind < CALL_KINDS && call->twist < TWISTS;
}
