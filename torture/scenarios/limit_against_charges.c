/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define ROOM PAGES(3)
#define REFUSED 1

static int64_t before;
static addr_t taken;

static void begin(void)
{
    vm_info info;
    vm_get_info(&info);
    before = info.committed;
    taken = (addr_t)(info.max_commit - info.committed) - ROOM;
}

static int create(addr_t base, addr_t size)
{
    void *at = PTR(base);
    region_id id = vm_create_anonymous_region(program, "charged", &at, REGION_ADDR_EXACT_ADDRESS,
                                              size, REGION_WIRING_LAZY, LOCK_RW);
    if (id == ERR_VM_WOULD_OVERCOMMIT)
        return REFUSED;
    return id < 0 ? (int)id : VM_OK;
}

static int create_first(void)
{
    return create(SPOT, PAGES(2));
}

static int create_second(void)
{
    return create(SPOT + PAGES(16), PAGES(2));
}

static int lower(void)
{
    vm_increase_max_commit(-taken);
    int more = create(SPOT + PAGES(32), ROOM + PAGE);
    MUST(scenario_either(more, REFUSED, REFUSED), "more is promised than there is");
    return VM_OK;
}

static void end(void)
{
    int created = (scenario_result(0) == VM_OK) + (scenario_result(1) == VM_OK);
    MUST(sim_committed() == before + created * (int64_t)PAGES(2), "%lld bytes are promised",
         (long long)(sim_committed() - before));
    MUST(created > 0 || scenario_excuses(ERR_VM_WOULD_OVERCOMMIT), "both were refused");
    vm_increase_max_commit(taken);
    OK(create(SPOT + PAGES(48), PAGES(2)));
}

const struct scenario scenario_limit_against_charges = {
    .name = "limit-against-charges",
    .text = "the limit of promises is lowered while two regions are promised: none is promised too "
            "much",
    .begin = begin,
    .actor = {{.name = "first", .run = create_first},
              {.name = "second", .run = create_second},
              {.name = "lowerer", .run = lower}},
    .end = end,
};
