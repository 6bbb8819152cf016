/* SPDX-License-Identifier: MIT */
#ifndef QUIRE_TOOL_SIM_OPTIONS_H
#define QUIRE_TOOL_SIM_OPTIONS_H

#include <campaign.h>

struct sim_options {
    struct campaign_plan plan;
    const char *replay; /* a file; or NULL */
    const char *save;   /* where a failure goes; NULL: quire-sim-SEED.trace */
    bool json, list, help, quiet;
};

/* 0, or a status after a message. */
int sim_options_parse(struct sim_options *options, int argc, char **argv);

#endif
