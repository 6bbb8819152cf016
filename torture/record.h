/* SPDX-License-Identifier: MIT */
/* Failures as text files, which anybody can run again. */
#ifndef QUIRE_TORTURE_RECORD_H
#define QUIRE_TORTURE_RECORD_H

#include "scenario.h"
#include "trace.h"

/* What is neither a trace nor a scenario: crash.h, pressure.h. */
enum record_other { RECORD_NO_OTHER, RECORD_CRASH, RECORD_PRESSURE };

/* What is run: `other`; or, where `scenario` is set, that with a schedule; or a trace. */
struct record {
    struct trace trace;
    struct trace_way way;
    const struct scenario *scenario;
    struct schedule schedule;
    struct scenario_failure failure;
    enum record_other other;
    uint64_t seed;     /* its */
    unsigned crash_at; /* the write at which the machine stops */
};

/* The record as text; `comment`: what went wrong, any number of lines. */
void record_print(FILE *file, const struct record *record, const char *comment);
/* False: errno says why. */
bool record_save(const char *path, const struct record *record, const char *comment);
/* False: *problem says why, *line where (0: the file itself, see errno). */
bool record_load(const char *path, struct record *record, const char **problem, unsigned *line);
void record_free(struct record *record);

/* Runs it in a process of its own: a crash, or a run without an end, is a failure, too. */
bool record_run(struct record *record, unsigned seconds, char *text, size_t room);

#endif
