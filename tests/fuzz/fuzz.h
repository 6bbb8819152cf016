/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: reading choices from a fuzzer's bytes, and saying what must hold. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What libFuzzer calls, and what it offers. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

/* A fuzzer's bytes, read as choices. Behind their end all choices are 0. */
struct input {
    const uint8_t *next;
    size_t left;
};

static inline uint64_t input_number(struct input *input, unsigned bytes)
{
    uint64_t number = 0;
    for (; bytes > 0; bytes--) {
        number = number << 8 | (input->left > 0 ? *input->next : 0);
        if (input->left > 0) {
            input->next++;
            input->left--;
        }
    }
    return number;
}

static inline unsigned input_byte(struct input *input)
{
    return (unsigned)input_number(input, 1);
}

/* Below `limit`, which is at most 65536. */
static inline unsigned input_choose(struct input *input, unsigned limit)
{
    return (unsigned)input_number(input, limit <= 256 ? 1 : 2) % limit;
}

/* A small sequence of its own for mutators: the same seed makes the same change. */
static inline unsigned random_next(unsigned *state, unsigned limit)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % limit;
}

/* Without <stdlib.h>, which can't be had together with the kernel's headers. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            __builtin_abort();                                                                     \
        }                                                                                          \
    } while (0)

#endif
