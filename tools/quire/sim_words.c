/* SPDX-License-Identifier: MIT */
#include "sim_words.h"

#include <getopt.h>
#include <stddef.h>

#include "error.h"

static const struct option words[] = {
    {"seed", required_argument, NULL, SIM_SEED},
    {"ops", required_argument, NULL, SIM_OPS},
    {"cpus", required_argument, NULL, SIM_CPUS},
    {"fail", required_argument, NULL, SIM_FAIL},
    {"schedule", required_argument, NULL, SIM_SCHEDULE},
    {"scenario", required_argument, NULL, SIM_SCENARIO},
    {"seconds", required_argument, NULL, SIM_SECONDS},
    {"jobs", required_argument, NULL, SIM_JOBS},
    {"check", required_argument, NULL, SIM_CHECK},
    {"replay", required_argument, NULL, SIM_REPLAY},
    {"save", required_argument, NULL, SIM_SAVE},
    {"json", no_argument, NULL, SIM_JSON},
    {"linux", no_argument, NULL, SIM_LINUX},
    {"crash", no_argument, NULL, SIM_CRASH},
    {"pressure", no_argument, NULL, SIM_PRESSURE},
    {"process", no_argument, NULL, SIM_PROCESS},
    {"traces", required_argument, NULL, SIM_TRACES},
    {"mode", required_argument, NULL, SIM_MODE},
    {"swap-store", required_argument, NULL, SIM_SWAP_STORE},
    {"list", no_argument, NULL, SIM_LIST},
    {"quiet", no_argument, NULL, SIM_QUIET},
    {"help", no_argument, NULL, SIM_HELP},
    {NULL, 0, NULL, 0},
};

static int next(int argc, char **argv)
{
    opterr = 0;
    int option = getopt_long(argc, argv, "+:h", words, NULL);
    return option == 'h' ? SIM_HELP : option;
}

enum sim_word sim_next_word(int argc, char **argv)
{
    int option = next(argc, argv);
    const char *word = argv[optind - 1];
    if (option == ':')
        fail(STATUS_ERROR, "%s needs a value; see quire help sim", word);
    else if (option == '?' && optopt >= SIM_SEED)
        fail(STATUS_ERROR, "%s: this option takes no value", word);
    else if (option == '?')
        fail(STATUS_ERROR, "%s: no such option; see quire help sim", word);
    else if (option == SIM_END && optind < argc)
        fail(STATUS_ERROR, "%s: sim takes options only; see quire help sim", argv[optind]);
    else
        return (enum sim_word)option;
    return SIM_WRONG;
}

const char *sim_last_word(char **argv)
{
    return argv[optind - (optarg != NULL && optarg == argv[optind - 1] ? 2 : 1)];
}

bool sim_is_of_a_process(int argc, char **argv)
{
    int option;
    do
        option = next(argc, argv);
    while (option >= SIM_SEED && option != SIM_PROCESS);
    optind = 0; /* getopt begins anew */
    return option == SIM_PROCESS;
}
