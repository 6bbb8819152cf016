/* SPDX-License-Identifier: MIT */
/* The options of `quire sim`, with --process and without: one list, and one way to refuse. */
#ifndef QUIRE_TOOL_SIM_WORDS_H
#define QUIRE_TOOL_SIM_WORDS_H

#include <stdbool.h>

enum sim_word {
    SIM_END = -1,
    SIM_WRONG = 0, /* what is wrong was said */
    SIM_SEED = 256,
    SIM_OPS,
    SIM_CPUS,
    SIM_FAIL,
    SIM_SCHEDULE,
    SIM_SCENARIO,
    SIM_SECONDS,
    SIM_JOBS,
    SIM_CHECK,
    SIM_REPLAY,
    SIM_SAVE,
    SIM_JSON,
    SIM_LINUX,
    SIM_CRASH,
    SIM_PRESSURE,
    SIM_PROCESS,
    SIM_TRACES,
    SIM_MODE,
    SIM_SWAP_STORE,
    SIM_LIST,
    SIM_QUIET,
    SIM_HELP
};

/* The next option, as getopt_long; its value is in optarg. argv[0] is `sim`. */
enum sim_word sim_next_word(int argc, char **argv);
/* The option that came last, as it was written, without its value. */
const char *sim_last_word(char **argv);
/* Whether one of them is --process. */
bool sim_is_of_a_process(int argc, char **argv);

#endif
