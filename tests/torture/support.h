/* SPDX-License-Identifier: MIT */
#ifndef QUIRE_TESTS_TORTURE_SUPPORT_H
#define QUIRE_TESTS_TORTURE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <perform.h>
#include <trace.h>

#endif
