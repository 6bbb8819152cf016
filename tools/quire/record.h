/* SPDX-License-Identifier: MIT */
/* What the kernel says: words for people, and records for this program among them. A record is a
 * line that begins with byte 1. */
#ifndef QUIRE_TOOL_RECORD_H
#define QUIRE_TOOL_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#define RECORD_LENGTH 4096

struct record_reader {
    bool heard;               /* of the kernel at all */
    bool inside;              /* of a record */
    bool middle;              /* of a line of words */
    char line[RECORD_LENGTH]; /* the record so far */
    size_t length;
    bool ready;  /* for input: what came before would be lost */
    bool exited; /* the first program has ended, with `status` */
    int status;
    bool panicked;
    bool leaked;
    bool unwritten;              /* a disk has not all that was written to it */
    bool unknown;                /* a command for the debugger that it hasn't */
    bool has_figures;            /* all of them */
    char figures[RECORD_LENGTH]; /* KEY=VALUE KEY=VALUE..., or empty */
};

/* Takes in what came from the kernel: words go to standard error. */
void record_feed(struct record_reader *reader, const char *bytes, size_t length);

/* Copies to standard error; on a raw terminal, lines get their carriage return. */
void write_words(const char *bytes, size_t length);

#endif
