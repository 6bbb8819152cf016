/* SPDX-License-Identifier: MIT */
/* Random operations. They don't look at any state: the same seed gives the same operations whatever the
 * core answers. */
#ifndef QUIRE_TORTURE_GENERATE_H
#define QUIRE_TORTURE_GENERATE_H

#include "operation.h"

enum generate_profile {
    GENERATE_ALL,
    GENERATE_CALM,  /* nothing whose documented partial effect depends on where memory runs out */
    GENERATE_POSIX, /* what Linux has, too: see linux.h */
    GENERATE_POSIX_ALONE /* the same in one space, without forks */
};

/* What an executed byte must be: x86's near return. */
#define RETURN_BYTE 0xc3

struct generator {
    uint64_t random;
    enum generate_profile profile;
    uint8_t space, cpu; /* of the last operation */
};

void generate_start(struct generator *generator, uint64_t seed, enum generate_profile profile);
void generate_next(struct generator *generator, struct operation *operation);
unsigned generate_pick(struct generator *generator, unsigned limit);

#endif
