/* SPDX-License-Identifier: MIT */
#ifndef QUIRE_TOOL_DOCTOR_H
#define QUIRE_TOOL_DOCTOR_H

#include <stdbool.h>

int command_doctor(int argc, char **argv);

/* Microseconds of wall time for a fault, the best of some rounds; below 0: it can't be had here. */
struct doctor_costs {
    double plain;   /* Linux's own, of anonymous memory */
    double signal;  /* SIGBUS in the thread, and a page copied in */
    double handler; /* a message to a thread that copies it */
    double vspace;  /* SIGSEGV in the thread, and a page mapped */
};
void doctor_measure(struct doctor_costs *costs, bool signal, bool handler);
/* A userfaultfd by /dev/userfaultfd; -1: *error says why not. */
int doctor_open_device(int *error);

#endif
