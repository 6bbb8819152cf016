/* SPDX-License-Identifier: MIT */
/* What Linux and the core need not agree about, in the model's present state: the list heads linux.h. */
#ifndef QUIRE_TORTURE_LINUX_OMIT_H
#define QUIRE_TORTURE_LINUX_OMIT_H

#include "operation.h"

bool linux_omits(const struct operation *operation);

#endif
