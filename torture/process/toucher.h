/* SPDX-License-Identifier: MIT */
/* A thread that reads in all regions beside everything else, which nothing may notice. */
#ifndef QUIRE_TORTURE_PROCESS_TOUCHER_H
#define QUIRE_TORTURE_PROCESS_TOUCHER_H

void toucher_start(unsigned threads);
void toucher_stop(void);

#endif
