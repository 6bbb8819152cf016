/* SPDX-License-Identifier: MIT */
/* Failures as text files, which anybody can run again. */
#ifndef QUIRE_TORTURE_RECORD_H
#define QUIRE_TORTURE_RECORD_H

#include "scenario.h"
#include "trace.h"

/* What is run: a trace, or, where `scenario` is set, a scenario with a schedule. */
struct record {
    struct trace trace;
    struct trace_way way;
    const struct scenario *scenario;
    struct schedule schedule;
    struct scenario_failure failure;
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
