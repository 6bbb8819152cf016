/* SPDX-License-Identifier: MIT */
#ifndef QUIRE_TOOL_SIM_SWAP_H
#define QUIRE_TOOL_SIM_SWAP_H

/* Simulated machines have swap of this kind from here on: 0, or a status after a message. */
int sim_swap_choose(const char *name);

#endif
