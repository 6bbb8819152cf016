/* SPDX-License-Identifier: MIT */
/* Between the user and the machine: input, output, keys, signals and time, until it has ended. */
#ifndef QUIRE_TOOL_CONSOLE_H
#define QUIRE_TOOL_CONSOLE_H

#include "machine.h"
#include "record.h"

enum console_end {
    CONSOLE_MACHINE_ENDED,
    CONSOLE_TIMEOUT,
    CONSOLE_SIGNAL,      /* *signal says which; SIGINT also for the key */
    CONSOLE_OUTPUT_GONE, /* nobody reads standard output any more */
    CONSOLE_FAILED,
};

/* Signals that would end this program must be blocked when the machine is started, so that it can
 * be ended first. */
void console_block_signals(void);

/* Copies until the machine has ended, or something else ends it. `timeout` in seconds; 0: none. When it is over, the
 * kernel is asked for its figures, if they are wanted, and has two seconds more for them. */
enum console_end console_run(struct machine *machine, struct record_reader *reader,
                             unsigned timeout, bool wants_figures, int *signal);

#endif
