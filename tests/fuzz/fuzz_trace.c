/* SPDX-License-Identifier: MIT */
/* Operation traces against the reference model: the bytes are operations, of a fixed size each, so that
 * what the fuzzer copies and moves stays whole. A custom mutator changes one thing of one operation. */
#include <stdlib.h>
#include <string.h>

#include <trace.h>

#include "fuzz.h"

#define RECORD 18 /* kind, space and CPU, twist, flags; seven arguments of two bytes */
#define MAX_OPERATIONS 60

/* Positions and sizes in files need more than two bytes: half of all values are enough. */
static int32_t argument_of(const uint8_t *bytes)
{
    return (int32_t)((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8) * 2 + (bytes[1] >> 7);
}

static int32_t small_argument_of(const uint8_t *bytes)
{
    return (int32_t)((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8);
}

static struct operation decode(const uint8_t *bytes)
{
    struct operation o = {.kind = bytes[0],
                          .space = bytes[1] & 0xf,
                          .cpu = bytes[1] >> 4,
                          .twist = bytes[2] < 200 ? 0 : (uint8_t)(bytes[2] - 200)};
    bool file = bytes[0] % OPERATION_KINDS >= OPERATION_TRUNCATE;
    for (unsigned i = 0; i < OPERATION_ARGUMENTS; i++)
        o.argument[i] =
            file ? argument_of(bytes + 4 + 2 * i) : small_argument_of(bytes + 4 + 2 * i);
    operation_clamp(&o);
    return o;
}

static void show(const struct trace *trace, const struct trace_outcome *outcome)
{
    for (size_t i = 0; i < trace->count; i++)
        operation_print(&trace->operation[i], stderr);
    fprintf(stderr, "operation %zu: %s\n", outcome->at + 1, outcome->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace trace = {NULL, 0, 0};
    struct trace_way way = {.check_every = 4};
    struct trace_outcome outcome;
    for (size_t at = 0; at + RECORD <= size && trace.count < MAX_OPERATIONS; at += RECORD) {
        struct operation operation = decode(data + at);
        trace_add(&trace, &operation);
    }
    if (size > 3 && data[3] >= 128)
        way.seed = data[3];
    bool good = trace_run(&trace, &way, &outcome);
    if (!good) {
        show(&trace, &outcome);
        abort();
    }
    trace_free(&trace);
    return 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

/* Adds an operation from the generator, or lets the library change the bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    struct generator generator;
    struct operation o;
    size_t whole = size / RECORD * RECORD;
    if (seed % 3 != 0 || whole + RECORD > room)
        return LLVMFuzzerMutate(data, size, room);
    generate_start(&generator, seed, GENERATE_ALL);
    generate_next(&generator, &o);
    size_t at = whole == 0 ? 0 : generate_pick(&generator, (unsigned)(whole / RECORD) + 1) * RECORD;
    memmove(data + at + RECORD, data + at, whole - at);
    memset(data + at, 0, RECORD);
    data[at] = o.kind;
    data[at + 1] = (uint8_t)(o.space | o.cpu << 4);
    data[at + 2] = o.twist == 0 ? 0 : (uint8_t)(200 + o.twist);
    bool file = o.kind >= OPERATION_TRUNCATE;
    for (unsigned i = 0; i < OPERATION_ARGUMENTS; i++) {
        uint32_t value = (uint32_t)o.argument[i] / (file ? 2 : 1);
        data[at + 4 + 2 * i] = (uint8_t)value;
        data[at + 5 + 2 * i] = (uint8_t)(value >> 8);
    }
    return whole + RECORD;
}
