/* SPDX-License-Identifier: MIT */
/* Process 1: starts the program, takes in orphans, ends the machine. */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

void init_start(void);
/* What the core and the disks have done so far, as records for the tool. Takes no lock: in an interrupt, too. */
void init_print_figures(void);

#endif
