/* SPDX-License-Identifier: MIT */
/* Records of 64 bytes, from a seed, and what tells whether they are still the same. */
#include "demo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

/* All bytes of the text are from the record's number: no two records are the same. */
static void make(struct record *record, uint64_t number, uint64_t seed)
{
    char text[sizeof record->payload + 32];
    record->key = mix(mix(seed) + (number + 1) * 0x9e3779b97f4a7c15u);
    snprintf(text, sizeof text, "record %012" PRIu64 ", as it was made, in no order at all      ",
             number);
    memcpy(record->payload, text, sizeof record->payload);
}

void demo_fill(struct record *records, size_t count, uint64_t seed, demo_progress *progress)
{
    for (size_t i = 0; i < count; i++) {
        make(&records[i], i, seed);
        progress("writing", i + 1, count);
    }
}

static uint64_t hash_of(const struct record *record)
{
    uint64_t hash = mix(record->key), word;
    for (size_t i = 0; i < sizeof record->payload; i += sizeof word) {
        memcpy(&word, record->payload + i, sizeof word);
        hash = mix(hash + word);
    }
    return hash;
}

void demo_check(const struct record *records, size_t count, struct demo_check *check,
                demo_progress *progress)
{
    *check = (struct demo_check){.sorted = true};
    for (size_t i = 0; i < count; i++) {
        check->checksum += hash_of(&records[i]);
        if (i > 0 && records[i - 1].key > records[i].key)
            check->sorted = false;
        progress("checking", i + 1, count);
    }
}
