/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static int promise(void)
{
    int error = vm_commit((int64_t)PAGES(3));
    if (error == VM_OK)
        OK(vm_commit(-(int64_t)PAGES(3)));
    return error;
}

static int take_frames(size_t count)
{
    addr_t physical = 0;
    int error = vm_allocate_frames(count, true, &physical);
    if (error != VM_OK)
        return error;
    const uint8_t *bytes = sim_physical(physical);
    MUST(bytes[0] == 0 && bytes[PAGES(count) - 1] == 0, "the frames aren't clear");
    vm_free_frames(physical, count);
    return VM_OK;
}

static int take_reserved(void)
{
    addr_t physical = 0;
    int error = vm_allocate_reserved_frame(&physical);
    if (error == VM_OK)
        vm_free_frames(physical, 1);
    return error;
}

static int frames(void)
{
    int error = take_frames(1);
    if (error == VM_OK)
        error = take_reserved();
    return error == VM_OK ? take_frames(3) : error;
}

static int take_memory(size_t size)
{
    void *memory = vm_meta_alloc(size);
    if (memory == NULL)
        return ERR_NO_MEMORY;
    ((uint8_t *)memory)[size - 1] = 1;
    vm_meta_free(memory, size);
    return VM_OK;
}

static int memory(void)
{
    int error = take_memory(PAGE - 100);
    return error == VM_OK ? take_memory(PAGES(2) + 1) : error;
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "a request has failed: %d", scenario_result(i));
}

const struct scenario scenario_host_requests_together = {
    .name = "host-requests-together",
    .text = "the host takes promises, frames and memory, and gives them back: all is as before",
    .actor = {{.name = "promise", .run = promise},
              {.name = "frames", .run = frames},
              {.name = "memory", .run = memory}},
    .end = end,
};
