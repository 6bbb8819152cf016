/* SPDX-License-Identifier: MIT */
/* Operations and traces of them: numbers that mean something whatever the state is, so that a trace from
 * which some are taken out is still a trace. */
#ifndef QUIRE_TORTURE_OPERATION_H
#define QUIRE_TORTURE_OPERATION_H

#include <quire/vm.h>
#include <stdio.h>

/* What a trace plays with: a few small address spaces, all of each of them, and a few small files. */
#define SPACES 4
#define WINDOW 32 /* pages of an address space */
#define SPACE_BASE ((addr_t)0x10000000)
#define FILES 2
#define FILE_PAGES 24 /* at most */
#define DEVICE_PAGES 16
#define TRACE_CPUS 4 /* at most */

enum operation_kind {
    OPERATION_CREATE,
    OPERATION_MAP_FILE,
    OPERATION_MAP_DEVICE,
    OPERATION_CREATE_NULL,
    OPERATION_CLONE,
    OPERATION_DELETE_REGION,
    OPERATION_UNMAP,
    OPERATION_PROTECT,
    OPERATION_RESIZE,
    OPERATION_MOVE,
    OPERATION_DISCARD,
    OPERATION_SYNC,
    OPERATION_WIRE,
    OPERATION_UNWIRE,
    OPERATION_INHERIT,
    OPERATION_RESIDENCY,
    OPERATION_FIND_HOLE,
    OPERATION_READ,
    OPERATION_EXECUTE,
    OPERATION_WRITE,
    OPERATION_FORK,
    OPERATION_NEW_SPACE,
    OPERATION_TRUNCATE,
    OPERATION_FILE_READ,
    OPERATION_FILE_WRITE,
    OPERATION_LIMIT,
    OPERATION_KINDS
};

/* What is wrong with an operation's range or space on purpose. */
enum operation_twist {
    TWIST_NONE,
    TWIST_UNALIGNED,  /* the address, by one */
    TWIST_EMPTY,      /* size 0 */
    TWIST_ODD_SIZE,   /* one byte less than the pages: rounded up */
    TWIST_LONG,       /* past the end of the space */
    TWIST_HUGE,       /* wraps */
    TWIST_NO_SPACE,   /* an id that no space has */
    TWIST_BAD_BITS,   /* unknown flags */
    TWIST_OTHER_SPACE /* a region that is another space's */
};

#define OPERATION_ARGUMENTS 7
struct operation {
    uint8_t kind, space, cpu, twist;
    int32_t argument[OPERATION_ARGUMENTS]; /* what they are: see the table in operation.c */
};

/* The names of an operation's arguments; NULL: unused. */
const char *operation_argument_name(unsigned kind, unsigned argument);
const char *operation_name(unsigned kind);
/* One line, and back. False: that is no operation; *problem says why. */
void operation_print(const struct operation *operation, FILE *file);
bool operation_parse(const char *line, struct operation *operation, const char **problem);
/* Makes any bytes an operation: every argument into the range it may have. */
void operation_clamp(struct operation *operation);

/* The range that the first two arguments and the twist stand for. */
addr_t operation_address(const struct operation *operation);
addr_t operation_size(const struct operation *operation);
/* The space that a fork's copy takes the place of: another one than its own. */
unsigned operation_fork_target(const struct operation *operation);

#endif
