/* SPDX-License-Identifier: MIT */
/* The list of all scenarios; each is in a file of its own below scenarios/. */
#include "scenario.h"

#define SCENARIOS(X) X(fault_against_fault)

#define DECLARE(name) extern const struct scenario scenario_##name;
SCENARIOS(DECLARE)

#define REFER(name) &scenario_##name,
const struct scenario *const scenarios[] = {SCENARIOS(REFER)};
const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
