/* SPDX-License-Identifier: MIT */
/* The kernel's debugger: the core's commands and a few more, while the machine stands. */
#ifndef KERNEL_DEBUGGER_H
#define KERNEL_DEBUGGER_H

/* Reads commands from the console until `continue`. => interrupts off */
void debugger_enter(const char *why);
/* At a panic: only where somebody can answer. */
void debugger_after_panic(void);
/* Runs one command; the output goes to the log. */
enum debugger_result { DEBUGGER_RAN, DEBUGGER_CONTINUE, DEBUGGER_UNKNOWN };
enum debugger_result debugger_run(const char *line);

#endif
