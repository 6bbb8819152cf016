/* SPDX-License-Identifier: MIT */
/* `quire sim`: the torture of the core, from the command line. */
#ifndef QUIRE_TOOL_SIM_H
#define QUIRE_TOOL_SIM_H

/* argv[0] is "sim". The status to exit with. */
int command_sim(int argc, char **argv);

#endif
