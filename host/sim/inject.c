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

bool inject_now(enum sim_failure class)
{
    struct plan *plan = &plans[class];
    plan->seen++;
    if (plan->at == 0 || plan->seen < plan->at || (!plan->forever && plan->seen > plan->at))
        return false;
    plan->done++;
    return true;
}

#if defined(VM_TEST)
bool host_inject(enum vm_inject class)
{
    switch (class) {
    case VM_INJECT_METADATA:
        return inject_now(SIM_FAIL_METADATA);
    case VM_INJECT_FRAME:
        return inject_now(SIM_FAIL_FRAME);
    case VM_INJECT_TABLE:
        return inject_now(SIM_FAIL_TABLE);
    case VM_INJECT_COMMIT:
        return inject_now(SIM_FAIL_COMMIT);
    default:
        return false;
    }
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
        "metadata", "frame", "table", "commitment", "thread", "vnode read",
    };
    return names[class];
}
