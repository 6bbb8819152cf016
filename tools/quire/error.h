/* SPDX-License-Identifier: MIT */
/* What `quire` says when it can't do something, and what it exits with. */
#ifndef QUIRE_TOOL_ERROR_H
#define QUIRE_TOOL_ERROR_H

/* Statuses of the tool's own; everything else is the program's. 124 to 127 mean what they mean for
 * timeout(1) and env(1). */
enum quire_status {
    STATUS_UNWRITTEN = 121, /* bytes that the program wrote could not be brought to a disk's file */
    STATUS_LEAK = 122,      /* the kernel ended with fewer free frames than it began with */
    STATUS_PANIC = 123,     /* the kernel stopped, or vanished without a word */
    STATUS_TIMEOUT = 124,
    STATUS_ERROR = 125, /* wrong usage, or something on the host is missing or failed */
    STATUS_NOT_EXECUTABLE = 126,
    STATUS_NOT_FOUND = 127,
};

/* Prints "quire: ..." on standard error and returns `status`. */
int fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
int fail_no_memory(void);
/* Standard output has what was printed; else that is said, and the status is STATUS_ERROR unless it was bad already. */
int end_output(int status);

#endif
