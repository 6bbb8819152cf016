/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define REFUSED 1

static int64_t held;

static void begin(void)
{
    vm_info info;
    vm_get_info(&info);
    held = info.max_commit - info.committed - (int64_t)PAGES(2);
    OK(vm_commit(held));
}

static int create(addr_t base)
{
    void *at = PTR(base);
    region_id id = vm_create_anonymous_region(program, "charged", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGES(2), REGION_WIRING_LAZY, LOCK_RW);
    if (id == ERR_VM_WOULD_OVERCOMMIT)
        return REFUSED;
    return id < 0 ? (int)id : VM_OK;
}

static int create_first(void)
{
    return create(SPOT);
}

static int create_second(void)
{
    return create(SPOT + PAGES(16));
}

static void end(void)
{
    int created = (scenario_result(0) == VM_OK) + (scenario_result(1) == VM_OK);
    MUST(created == 1 || (created == 0 && scenario_excuses(ERR_VM_WOULD_OVERCOMMIT)),
         "%d regions where there is room for one", created);
    OK(vm_commit(-held));
}

const struct scenario scenario_two_creators_for_one_promise = {
    .name = "two-creators-for-one-promise",
    .text = "two regions are created where only one can be promised: exactly one is",
    .begin = begin,
    .actor = {{.name = "first", .run = create_first}, {.name = "second", .run = create_second}},
    .end = end,
};
