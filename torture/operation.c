/* SPDX-License-Identifier: MIT */
#include "operation.h"

#include <stdlib.h>
#include <string.h>

/* Each argument with the number of values it may have, from 0 on. */
struct argument {
    const char *name;
    int32_t values;
};

#define RANGE                                                                                      \
    {"page", WINDOW},                                                                              \
    {                                                                                              \
        "pages", WINDOW + 1                                                                        \
    }
#define BYTES                                                                                      \
    {"page", WINDOW}, {"within", 4096},                                                            \
    {                                                                                              \
        "length", 3 * 4096                                                                         \
    }

static const struct {
    const char *name;
    struct argument argument[OPERATION_ARGUMENTS];
} kinds[OPERATION_KINDS] = {
    [OPERATION_CREATE] = {"create", {RANGE, {"at", 6}, {"lock", 128}, {"wiring", 5}}},
    [OPERATION_MAP_FILE] = {"map-file",
                            {RANGE,
                             {"at", 6},
                             {"lock", 256},
                             {"private", 2},
                             {"file", FILES},
                             {"offset", FILE_PAGES}}},
    [OPERATION_MAP_DEVICE] = {"map-device",
                              {RANGE, {"at", 6}, {"lock", 16}, {"frame", DEVICE_PAGES}}},
    [OPERATION_CREATE_NULL] = {"create-null", {RANGE, {"at", 6}}},
    [OPERATION_CLONE] = {"clone",
                         {{"page", WINDOW},
                          {"of-space", SPACES},
                          {"at", 6},
                          {"lock", 128},
                          {"private", 2},
                          {"of-page", WINDOW}}},
    [OPERATION_DELETE_REGION] = {"delete-region", {{"page", WINDOW}}},
    [OPERATION_UNMAP] = {"unmap", {RANGE}},
    [OPERATION_PROTECT] = {"protect", {RANGE, {"lock", 32}}},
    [OPERATION_RESIZE] = {"resize", {RANGE}},
    [OPERATION_MOVE] = {"move", {RANGE, {"at", 6}, {"to", WINDOW}, {"new-pages", WINDOW + 1}}},
    [OPERATION_DISCARD] = {"discard", {RANGE}},
    [OPERATION_SYNC] = {"sync", {RANGE}},
    [OPERATION_WIRE] = {"wire", {RANGE}},
    [OPERATION_UNWIRE] = {"unwire", {RANGE}},
    [OPERATION_INHERIT] = {"inherit", {RANGE, {"how", 4}}},
    [OPERATION_RESIDENCY] = {"residency", {RANGE}},
    [OPERATION_FIND_HOLE] = {"find-hole",
                             {RANGE, {"low", WINDOW}, {"high", WINDOW + 1}, {"align", 4}}},
    [OPERATION_READ] = {"read", {BYTES}},
    [OPERATION_EXECUTE] = {"execute", {BYTES}},
    [OPERATION_WRITE] = {"write", {BYTES, {"byte", 256}}},
    [OPERATION_FORK] = {"fork", {{"to", SPACES - 1}}},
    [OPERATION_NEW_SPACE] = {"new-space", {{NULL, 0}}},
    [OPERATION_TRUNCATE] = {"truncate", {{"file", FILES}, {"size", FILE_PAGES * 4096 + 1}}},
    [OPERATION_FILE_READ] =
        {"file-read", {{"file", FILES}, {"position", FILE_PAGES * 4096}, {"length", 3 * 4096}}},
    [OPERATION_FILE_WRITE] =
        {"file-write",
         {{"file", FILES}, {"position", FILE_PAGES * 4096}, {"length", 3 * 4096}, {"byte", 256}}},
    [OPERATION_LIMIT] = {"limit", {{"pages", 512}}},
};

static const char *const twists[] = {"",     "unaligned", "empty",    "odd-size",   "long",
                                     "huge", "no-space",  "bad-bits", "other-space"};
#define TWISTS (sizeof(twists) / sizeof(twists[0]))
#define CPUS TRACE_CPUS

const char *operation_name(unsigned kind)
{
    return kinds[kind].name;
}

const char *operation_argument_name(unsigned kind, unsigned argument)
{
    return kinds[kind].argument[argument].name;
}

/* ---- text --------------------------------------------------------------------------------------- */

void operation_print(const struct operation *o, FILE *file)
{
    fprintf(file, "%s space=%u cpu=%u", kinds[o->kind].name, o->space, o->cpu);
    for (unsigned i = 0; i < OPERATION_ARGUMENTS; i++)
        if (kinds[o->kind].argument[i].name != NULL)
            fprintf(file, " %s=%d", kinds[o->kind].argument[i].name, o->argument[i]);
    if (o->twist != TWIST_NONE)
        fprintf(file, " twist=%s", twists[o->twist]);
    fputc('\n', file);
}

static bool parse_number(const char *text, int32_t values, int32_t *number)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0 || value >= values)
        return false;
    *number = (int32_t)value;
    return true;
}

static bool parse_twist(const char *text, struct operation *o)
{
    for (unsigned i = 0; i < TWISTS; i++)
        if (strcmp(text, twists[i]) == 0) {
            o->twist = (uint8_t)i;
            return true;
        }
    return false;
}

/* One name=value. */
static bool parse_word(char *word, struct operation *o)
{
    int32_t number;
    char *value = strchr(word, '=');
    if (value == NULL)
        return false;
    *value++ = '\0';
    if (strcmp(word, "twist") == 0)
        return parse_twist(value, o);
    if (strcmp(word, "space") == 0 && parse_number(value, SPACES, &number)) {
        o->space = (uint8_t)number;
        return true;
    }
    if (strcmp(word, "cpu") == 0 && parse_number(value, CPUS, &number)) {
        o->cpu = (uint8_t)number;
        return true;
    }
    for (unsigned i = 0; i < OPERATION_ARGUMENTS; i++) {
        const struct argument *argument = &kinds[o->kind].argument[i];
        if (argument->name != NULL && strcmp(word, argument->name) == 0)
            return parse_number(value, argument->values, &o->argument[i]);
    }
    return false;
}

bool operation_parse(const char *line, struct operation *o, const char **problem)
{
    static char copy[512];
    char *rest = NULL;
    snprintf(copy, sizeof(copy), "%s", line);
    char *word = strtok_r(copy, " \t\r\n", &rest);
    *o = (struct operation){.kind = OPERATION_KINDS};
    for (unsigned i = 0; word != NULL && i < OPERATION_KINDS; i++)
        if (strcmp(word, kinds[i].name) == 0)
            o->kind = (uint8_t)i;
    *problem = word != NULL ? word : "nothing";
    if (o->kind == OPERATION_KINDS)
        return false;
    while ((word = strtok_r(NULL, " \t\r\n", &rest)) != NULL) {
        *problem = word;
        if (!parse_word(word, o))
            return false;
    }
    return true;
}

void operation_clamp(struct operation *o)
{
    o->kind %= OPERATION_KINDS;
    o->space %= SPACES;
    o->cpu %= CPUS;
    o->twist %= TWISTS;
    for (unsigned i = 0; i < OPERATION_ARGUMENTS; i++) {
        int32_t values = kinds[o->kind].argument[i].values;
        o->argument[i] = values == 0 ? 0 : (int32_t)((uint32_t)o->argument[i] % (uint32_t)values);
    }
}

/* ---- ranges ------------------------------------------------------------------------------------- */

addr_t operation_address(const struct operation *o)
{
    addr_t address = SPACE_BASE + (addr_t)o->argument[0] * VM_PAGE_SIZE;
    return o->twist == TWIST_UNALIGNED ? address + 1 : address;
}

addr_t operation_size(const struct operation *o)
{
    addr_t size = (addr_t)o->argument[1] * VM_PAGE_SIZE;
    switch (o->twist) {
    case TWIST_EMPTY:
        return 0;
    case TWIST_ODD_SIZE:
        return size > 0 ? size - 1 : 0;
    case TWIST_LONG:
        return size + WINDOW * VM_PAGE_SIZE;
    case TWIST_HUGE:
        return UINTPTR_MAX - (addr_t)o->argument[1];
    default:
        return size;
    }
}

unsigned operation_fork_target(const struct operation *o)
{
    return (o->space + 1u + (unsigned)o->argument[0]) % SPACES;
}
