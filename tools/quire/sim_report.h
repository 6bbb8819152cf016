/* SPDX-License-Identifier: MIT */
/* What a campaign has to say: while it runs, at its end, and as JSON. */
#ifndef QUIRE_TOOL_SIM_REPORT_H
#define QUIRE_TOOL_SIM_REPORT_H

#include <campaign.h>

/* A line that is written over by the next one, on standard error, where that is a terminal. */
void sim_report_progress(const struct campaign_figures *figures);
void sim_report_end_progress(void);
void sim_report_show(const struct campaign_plan *plan, const struct campaign_result *result);
void sim_report_json(const struct campaign_plan *plan, const struct campaign_result *result);

#endif
