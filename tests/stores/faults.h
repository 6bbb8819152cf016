/* SPDX-License-Identifier: MIT */
/* Calls of the system and of libc that fail on request: the linker puts these between the stores and the real
 * ones (the names are in meson.build). */
#ifndef STORES_FAULTS_H
#define STORES_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/* The n-th call from now on of this function (NULL: of any) fails with this error, and all behind it if
 * `for_good`. "preadv" and "pwritev" are pread and pwrite, too. calloc and mmap fail with ENOMEM whatever it is.
 * "io_uring_sqe" is the first request of a submission: with 0 it reads its first piece only. */
void faults_at(const char *name, unsigned n, bool for_good, int number);
void faults_none(void);
/* Calls since then, of the function asked for. */
unsigned faults_seen(void);
/* preadv and pwritev transfer no more than this in a call; 0: as they like. */
void faults_shorten(size_t longest);

/* Whatever is read without waiting (preadv2) would have to wait. */
void faults_wait(bool wait);

#endif
