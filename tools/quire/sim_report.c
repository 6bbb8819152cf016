/* SPDX-License-Identifier: MIT */
#include "sim_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "digits.h"

/* ---- progress ----------------------------------------------------------------------------------- */

void sim_report_progress(const struct campaign_figures *f)
{
    static unsigned calls;
    if (!isatty(STDERR_FILENO) || calls++ % 4 != 0)
        return;
    fprintf(stderr,
            "\r\033[K%6.0f s  %s operations  %s schedules  %s failures on request  %s stops",
            f->seconds, grouped(f->operations), grouped(f->schedules), grouped(f->injected),
            grouped(f->stops));
    fflush(stderr);
}

void sim_report_end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* ---- sums --------------------------------------------------------------------------------------- */

struct sums {
    uint64_t random, pct, exhaustive, failures;
    unsigned scenarios, complete;
    unsigned sites, seen, hit;
    double
        worst_miss; /* the chance that PCT has missed a bug, in the scenario where it is greatest */
    const char *worst;
};

static unsigned count_actors(const struct scenario *scenario)
{
    unsigned count = 0;
    while (count < SCENARIO_ACTORS && scenario->actor[count].run != NULL)
        count++;
    return count;
}

static void add_scenario(struct sums *sums, size_t i, const struct campaign_scenario *s)
{
    uint64_t runs = s->random + s->pct + s->exhaustive + s->failures;
    sums->random += s->random;
    sums->pct += s->pct;
    sums->exhaustive += s->exhaustive;
    sums->failures += s->failures;
    sums->scenarios += runs > 0;
    sums->complete += s->complete;
    if (s->pct == 0)
        return;
    double bound = schedule_pct_bound(count_actors(scenarios[i]), s->choices, CAMPAIGN_DEPTH);
    double miss = pow(1 - bound, (double)s->pct);
    if (miss > sums->worst_miss) {
        sums->worst_miss = miss;
        sums->worst = scenarios[i]->name;
    }
}

static struct sums sum_up(const struct campaign_figures *f)
{
    struct sums sums = {.sites = (unsigned)sim_sites()};
    for (size_t i = 0; i < scenario_count && i < CAMPAIGN_SCENARIOS; i++)
        add_scenario(&sums, i, &f->scenario[i]);
    for (unsigned i = 0; i < sums.sites && i < CAMPAIGN_SITES; i++) {
        sums.seen += f->site[i].seen > 0;
        sums.hit += f->site[i].failed > 0;
    }
    return sums;
}

/* ---- the table ---------------------------------------------------------------------------------- */

static void line(const char *name, uint64_t value, const char *rest)
{
    printf("  %-30s %14s%s%s\n", name, grouped(value), rest[0] != '\0' ? "  " : "", rest);
}

static void show_traces(const struct campaign_figures *f)
{
    char rate[80] = "";
    if (f->trace_seconds > 0)
        snprintf(rate, sizeof(rate), "%s a second and process",
                 grouped((uint64_t)((double)f->operations / f->trace_seconds)));
    line("operations", f->operations, rate);
    line("  in traces", f->traces, "");
    line("  page faults", f->faults, "");
    line("  pages copied", f->copies, "");
    line("  comparisons of everything", f->comparisons, "");
}

static void show_schedules(const struct campaign_plan *plan, const struct campaign_figures *f,
                           const struct sums *sums)
{
    char rest[160];
    snprintf(rest, sizeof(rest), "of %u scenarios, %s steps", sums->scenarios, grouped(f->steps));
    line("schedules", f->schedules, rest);
    line("  random", sums->random, "");
    snprintf(rest, sizeof(rest), "a bug of depth %d is missed with p <= %.3g (%s)", CAMPAIGN_DEPTH,
             sums->worst_miss, sums->worst != NULL ? sums->worst : "");
    line("  PCT", sums->pct, sums->pct > 0 ? rest : "");
    snprintf(rest, sizeof(rest), "%u of %zu complete with %d preemption%s", sums->complete,
             plan->only != NULL ? 1 : scenario_count, plan->strategy == CAMPAIGN_EXHAUSTIVE ? 2 : 1,
             plan->strategy == CAMPAIGN_EXHAUSTIVE ? "s" : "");
    line("  exhaustive", sums->exhaustive, sums->exhaustive > 0 ? rest : "");
    line("  with failures, in turn", sums->failures, "");
}

static void show_stops(const struct campaign_figures *f)
{
    line("stops at a write", f->stops, "");
    line("  confirmed numbers", f->confirmed, "that a sync had promised and the disk had to have");
    line("  later ones instead", f->outdone, "");
}

static void show_pressure(const struct campaign_figures *f)
{
    line("runs of 16 processes", f->pressures, "");
    line("  operations", f->operations, "");
    line("  pages looked at", f->verified, "all of their bytes");
    line("  pages that went", f->evictions, "");
    line("  no memory for structures", f->refused, "");
}

void sim_report_show(const struct campaign_plan *plan, const struct campaign_result *result)
{
    char rest[80];
    const struct campaign_figures *f = &result->figures;
    struct sums sums = sum_up(f);
    if (f->traces > 0)
        show_traces(f);
    if (f->stops > 0)
        show_stops(f);
    if (f->pressures > 0)
        show_pressure(f);
    if (f->schedules > 0)
        show_schedules(plan, f, &sums);
    snprintf(rest, sizeof(rest), "at %u of %u sites", sums.hit, sums.sites);
    line("failures on request", f->injected, rest);
    line("violations", result->failed, "");
    snprintf(rest, sizeof(rest), "%.0f seconds, %u process%s", f->seconds, plan->jobs,
             plan->jobs == 1 ? "" : "es");
    line("seed", plan->seed, rest);
}

/* ---- JSON --------------------------------------------------------------------------------------- */

static void json_sites(const struct campaign_figures *f)
{
    const char *comma = "";
    printf("  \"sites_not_hit\": [");
    for (unsigned i = 0; i < sim_sites() && i < CAMPAIGN_SITES; i++) {
        struct sim_site site = sim_site(i);
        if (f->site[i].failed > 0)
            continue;
        printf("%s\n    \"%s:%u %s\"", comma, site.file, site.line, sim_failure_name(site.class));
        comma = ",";
    }
    printf("],\n");
}

void sim_report_json(const struct campaign_plan *plan, const struct campaign_result *result)
{
    const struct campaign_figures *f = &result->figures;
    struct sums sums = sum_up(f);
    printf("{\n  \"seed\": %lu, \"seconds\": %.1f, \"processes\": %u,\n", (unsigned long)plan->seed,
           f->seconds, plan->jobs);
    printf("  \"operations\": %lu, \"operations_a_second_and_process\": %.0f, \"traces\": %lu,\n",
           (unsigned long)f->operations,
           f->trace_seconds > 0 ? (double)f->operations / f->trace_seconds : 0.0,
           (unsigned long)f->traces);
    printf("  \"faults\": %lu, \"copies\": %lu, \"comparisons\": %lu,\n", (unsigned long)f->faults,
           (unsigned long)f->copies, (unsigned long)f->comparisons);
    printf("  \"scenarios\": %u, \"schedules\": %lu, \"steps\": %lu, \"random\": %lu, "
           "\"pct\": %lu, \"exhaustive\": %lu, \"complete\": %u, \"with_failures\": %lu,\n",
           sums.scenarios, (unsigned long)f->schedules, (unsigned long)f->steps,
           (unsigned long)sums.random, (unsigned long)sums.pct, (unsigned long)sums.exhaustive,
           sums.complete, (unsigned long)sums.failures);
    if (sums.pct > 0)
        printf("  \"pct_depth\": %d, \"pct_worst_miss\": %g,\n", CAMPAIGN_DEPTH, sums.worst_miss);
    printf("  \"injected\": %lu, \"sites\": %u, \"sites_hit\": %u,\n", (unsigned long)f->injected,
           sums.sites, sums.hit);
    printf("  \"stops\": %lu, \"confirmed\": %lu, \"outdone\": %lu,\n", (unsigned long)f->stops,
           (unsigned long)f->confirmed, (unsigned long)f->outdone);
    printf("  \"pressures\": %lu, \"verified\": %lu, \"evictions\": %lu, \"refused\": %lu,\n",
           (unsigned long)f->pressures, (unsigned long)f->verified, (unsigned long)f->evictions,
           (unsigned long)f->refused);
    json_sites(f);
    printf("  \"violations\": %d\n}\n", result->failed);
}
