/* SPDX-License-Identifier: MIT */
#ifndef QUIRE_LINUX_STACK_H
#define QUIRE_LINUX_STACK_H

#include <signal.h>
#include <stdbool.h>
#include <ucontext.h>

/* What `function` says, called where there is room for a fault. => in the handler of a signal with that context */
bool stack_with_room(const ucontext_t *context, bool (*function)(void *), void *argument);

#endif
