/* SPDX-License-Identifier: MIT */
/* Operations on a process that pages itself: numbers that mean something whatever the state is, so that a trace
 * from which some are taken out is still a trace. */
#ifndef QUIRE_TORTURE_PROCESS_CALL_H
#define QUIRE_TORTURE_PROCESS_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum call_kind {
    CALL_MAP_MEMORY,
    CALL_MAP_STORE,
    CALL_MAP_WRONG,
    CALL_UNMAP,
    CALL_SNAPSHOT,
    CALL_RESTART,
    CALL_READ,
    CALL_WRITE,
    CALL_COPY,
    CALL_ADD,
    CALL_PROTECT,
    CALL_POPULATE,
    CALL_PREFETCH,
    CALL_PIN,
    CALL_UNPIN,
    CALL_FLUSH,
    CALL_EVICT,
    CALL_ADVISE,
    CALL_CHANGED,
    CALL_LIMIT,
    CALL_SYSTEM_READ,  /* read(2) into a region */
    CALL_SYSTEM_WRITE, /* write(2) from one */
    CALL_PEEK,         /* process_vm_readv of one */
    CALL_FAIL_READS,
    CALL_FAIL_WRITES,
    CALL_FAIL_NOTHING,
    CALL_FORK,
    CALL_COMPARE,
    CALL_KINDS
};

#define CALL_ARGUMENTS 4
/* The region, the first page, the pages or bytes, and what else there is: each is taken modulo what there is. */
struct call {
    uint8_t kind, twist;
    uint32_t argument[CALL_ARGUMENTS];
};

/* What is wrong with an operation's range on purpose. */
enum call_twist {
    TWIST_NONE,
    TWIST_EMPTY,    /* size 0 */
    TWIST_LONG,     /* past the end of the region */
    TWIST_HUGE,     /* wraps */
    TWIST_BEHIND,   /* begins where the region ends */
    TWIST_NULL,     /* the null pointer */
    TWIST_FOREIGN,  /* memory that isn't Quire's */
    TWIST_STRANGE,  /* no address of a program's */
    TWIST_UNALIGNED /* some bytes further */
};

const char *call_name(unsigned kind);
/* The next one of a seed's. */
void call_generate(uint64_t *seed, struct call *call);
uint64_t call_random(uint64_t *seed);
/* One line, and back. */
void call_print(const struct call *call, FILE *file);
bool call_parse(const char *line, struct call *call);

#endif
