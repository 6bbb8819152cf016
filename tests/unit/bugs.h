/* SPDX-License-Identifier: MIT */
/* What the tests of the list of classic bugs share. */
#ifndef QUIRE_TESTS_BUGS_H
#define QUIRE_TESTS_BUGS_H

#include "support.h"

/* CPUs of the machines that in_many_orders starts. */
#define BUG_CPUS 3

/* Runs `scenario` on a fresh machine with one program, again and again, each time in another order,
 * and every other time with hostile TLBs. */
void in_many_orders(unsigned times, void (*scenario)(void));

/* Threads of many tests. The argument is an address. */
int read_there(void *address);
int write_there(void *address);
/* A machine whose kernel space, which is returned, ends with the last address of all; it has no program.
 * end_last_page goes back to one with a program. */
aspace_id start_with_last_page(void);
void end_last_page(void);

#endif
