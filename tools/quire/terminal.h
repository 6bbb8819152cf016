/* SPDX-License-Identifier: MIT */
/* The user's terminal: taken over for the program in the machine, and always given back. */
#ifndef QUIRE_TOOL_TERMINAL_H
#define QUIRE_TOOL_TERMINAL_H

#include <stdbool.h>

/* Whether standard input and standard output are both a terminal. */
bool terminal_is_interactive(void);
void terminal_size(unsigned *rows, unsigned *columns);

/* Every key goes to the machine from here on; given back by terminal_restore and at exit. */
void terminal_make_raw(void);
void terminal_restore(void);
bool terminal_is_raw(void);

#endif
