/* SPDX-License-Identifier: MIT */
/* Failures on purpose: one counter for each kind of request that can fail. */
#include "internal.h"
#include "../../vm/inject.h"

#include <string.h>

struct plan {
    unsigned at; /* 0: never */
    bool forever;
    unsigned seen, done;
};

static struct plan plans[SIM_FAILURES];

void inject_start(void)
{
    memset(plans, 0, sizeof(plans));
}

#if defined(VM_TEST)
_Static_assert((int)SIM_FAILURES == (int)VM_INJECT_CLASSES,
               "a class of failure without its counter");

bool host_inject(struct vm_inject_site *site)
{
    struct plan *plan = &plans[site->class];
    site->seen++;
    plan->seen++;
    if (plan->at == 0 || plan->seen < plan->at || (!plan->forever && plan->seen > plan->at))
        return false;
    plan->done++;
    site->failed++;
    return true;
}

size_t sim_sites(void)
{
    return (size_t)(__stop_vm_inject_sites - __start_vm_inject_sites);
}

struct sim_site sim_site(size_t index)
{
    const struct vm_inject_site *site = &__start_vm_inject_sites[index];
    return (struct sim_site){site->file, site->line, (enum sim_failure)site->class, site->seen,
                             site->failed};
}
#endif

void sim_fail_at(enum sim_failure class, unsigned n, bool forever)
{
    plans[class] = (struct plan){.at = n, .forever = forever};
}

unsigned sim_fail_seen(enum sim_failure class)
{
    return plans[class].seen;
}

unsigned sim_fail_done(enum sim_failure class)
{
    return plans[class].done;
}

const char *sim_failure_name(enum sim_failure class)
{
    static const char *const names[SIM_FAILURES] = {
        "metadata",   "frame",       "table",     "commitment", "store read",
        "short read", "store write", "swap slot", "user copy",  "thread",
    };
    return names[class];
}
