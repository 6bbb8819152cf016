/* SPDX-License-Identifier: MIT */
/* A scenario: a few actors that meet in the core, each on a CPU of its own, and what must hold whoever
 * goes first. A run is one schedule; the explorer (explore.h) tries many. */
#ifndef QUIRE_TORTURE_SCENARIO_H
#define QUIRE_TORTURE_SCENARIO_H

#include <sim.h>

#include "schedule.h"

#define SCENARIO_ACTORS 4

#define PAGE VM_PAGE_SIZE
#define PAGES(n) ((addr_t)(n)*VM_PAGE_SIZE)
#define PTR(address) ((void *)(address))
/* An address in user space where no region goes by itself. */
#define SPOT ((addr_t)0x10000000)

struct scenario_actor {
    const char *name;
    /* VM_OK, a byte that was read, or an error of the core's. It does one thing: where that fails on
     * request, it is run once more, without failures. */
    int (*run)(void);
    bool in_child; /* it lives in `child`, not in `program` */
};

struct scenario {
    const char *name; /* words-with-dashes */
    const char *text; /* one sentence: who meets whom, and what must hold */
    /* The machine has just been started, `program` entered; nothing else runs. May be NULL. */
    void (*begin)(void);
    struct scenario_actor actor[SCENARIO_ACTORS]; /* the unused ones have no function */
    /* All actors have ended. Checks, then gives back what `begin` took; spaces named in `program` and
     * `child` are deleted by the runner. May be NULL. */
    void (*end)(void);
    size_t memory; /* of the machine; 0: 1 MiB */
    size_t swap;   /* slots; 0: none */
};

/* The runner's: the program that actors run in at first, and a second space (0: none) for scenarios
 * that need one. */
extern aspace_id program, child;

/* What the actor has returned; for `end`. */
int scenario_result(unsigned actor);
/* The fiber that runs the actor, while the actors run. */
sim_fiber *scenario_fiber(unsigned actor);
/* Whether requests fail on purpose in this run, so that this error may be for that. */
bool scenario_excuses(int error);

/* Ends the run with the sentence where the condition doesn't hold. */
#define MUST(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_fail(__VA_ARGS__);                                                                 \
    } while (0)
/* The call succeeds; for `begin` and `end`, in which nothing fails on purpose. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        int64_t error_ = (call);                                                                   \
        MUST(error_ >= 0, "%s: %s", #call, vm_error_text((int)error_));                            \
    } while (0)

/* Anonymous memory of the program's at `base`; `lock` as for vm_create_anonymous_region. */
region_id scenario_region(addr_t base, size_t pages, unsigned lock);
/* A file of `pages`, each filled with its number from 1 on, mapped at `base`. */
sim_file *scenario_file(addr_t base, size_t pages, unsigned lock, int mapping);
/* The same, private, writable and wired; then the file is cut to one page. What is to be wired behind that
 * finds no page: shared clones fail, once they have come. */
region_id scenario_wired_tail(addr_t base, size_t pages);
/* Clones the region at exactly this address, shared: VM_OK or the error. */
int scenario_clone(region_id source, addr_t base);
/* Writes first + i to the first byte of page i. */
void scenario_number(addr_t base, size_t pages, unsigned first);
/* Two pages at SPOT, with a 1 and a 2 in them: a `begin`. And who frees two frames: an actor. */
void scenario_two_pages(void);
int scenario_reclaim(void);
/* Two pages at SPOT are all that can go, and are being written, as long as the disk is blocked; no frame is free: the
 * end of a `begin`. And what `end` gives back. */
void scenario_fill_memory(void);
void scenario_free_memory(void);
/* The region at the address. */
region_id scenario_find(addr_t address);
/* Makes `child` a copy of `program`. */
void scenario_fork(void);
/* A read of the byte there gives `expected`, a value or an error, on the CPU of each actor. For `end`.
 * (Where reads were cut short on purpose, it may be 0 as well.) */
void scenario_expect(addr_t address, int expected);
void scenario_expect_child(addr_t address, int expected);
/* What the byte is to the child. */
int scenario_child_byte(addr_t address);
/* Whether an actor may have seen this: one of two values or errors, or an error on purpose. */
bool scenario_either(int seen, int one, int other);

/* ---- for the explorer ---- */

extern const struct scenario *const scenarios[];
extern const size_t scenario_count;
/* NULL: none has this name. */
const struct scenario *scenario_by_name(const char *name);

/* What is made to fail in a run. */
struct scenario_failure {
    enum sim_failure class;
    unsigned n; /* 0: nothing */
    bool forever;
};

struct scenario_outcome {
    bool failed;
    char text[1024];
    uint64_t steps;       /* taken by the actors */
    unsigned failed_here; /* requests that were made to fail */
};

/* One run. False, with outcome->text, where something was violated; the machine is off again. */
bool scenario_run(const struct scenario *scenario, struct schedule *schedule,
                  const struct scenario_failure *failure, struct scenario_outcome *outcome);

#endif
