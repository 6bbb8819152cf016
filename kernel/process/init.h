/* SPDX-License-Identifier: MIT */
/* Process 1: starts the program, takes in orphans, ends the machine. */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

void init_start(void);

#endif
