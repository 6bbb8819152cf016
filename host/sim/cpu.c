/* SPDX-License-Identifier: MIT */
/* Which address space each CPU translates by. A CPU keeps a space loaded until a fiber of another one
 * runs there, as kernels do. Loading happens when fibers switch, in the middle of anything, so the
 * references on the spaces are taken and given back elsewhere: when a program is set up or goes. */
#include "fiber.h"

#include <stdlib.h>

struct space {
    aspace_id aid;
    vm_address_space *aspace; /* referenced */
    unsigned loaded;          /* on so many CPUs */
};

struct cpu {
    aspace_id aid; /* 0 until the core runs */
    addr_t root;
};

static struct cpu cpus[VM_MAX_CPUS];
static unsigned count;
static addr_t kernel_root;
static struct space *spaces;
static size_t space_count, space_room;

static struct space *find_space(aspace_id aid)
{
    for (size_t i = 0; i < space_count; i++)
        if (spaces[i].aid == aid)
            return &spaces[i];
    return NULL;
}

static void add_space(aspace_id aid, vm_address_space *aspace)
{
    if (space_count == space_room) {
        space_room = space_room * 2 + 8;
        spaces = realloc(spaces, space_room * sizeof(*spaces));
        if (spaces == NULL)
            abort();
    }
    spaces[space_count++] = (struct space){.aid = aid, .aspace = aspace};
}

vm_address_space *cpu_aspace(aspace_id aid)
{
    struct space *space = find_space(aid);
    return space != NULL ? space->aspace : NULL;
}

void cpu_know(aspace_id aid)
{
    if (aid <= 0 || find_space(aid) != NULL)
        return;
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    if (aspace != NULL)
        add_space(aid, aspace);
}

void cpu_forget_unused(void)
{
    for (size_t i = 0; i < space_count;) {
        if (spaces[i].loaded > 0 || fiber_uses_aspace(spaces[i].aid)) {
            i++;
            continue;
        }
        vm_address_space *aspace = spaces[i].aspace;
        spaces[i] = spaces[--space_count];
        vm_put_aspace(aspace);
        i = 0;
    }
}

void cpu_start(unsigned cpu_total)
{
    count = cpu_total;
    kernel_root = 0;
    space_count = 0;
    for (unsigned i = 0; i < count; i++)
        cpus[i] = (struct cpu){0};
}

static void leave(unsigned cpu)
{
    struct space *space = find_space(cpus[cpu].aid);
    if (space == NULL)
        return;
    vm_leave_aspace(space->aspace, cpu);
    space->loaded--;
}

void cpu_load(unsigned cpu, aspace_id aid)
{
    if (cpus[cpu].aid == 0)
        return;
    struct space *space = find_space(aid);
    if (space == NULL)
        space = find_space(vm_get_kernel_aspace_id());
    if (space->aid == cpus[cpu].aid)
        return;
    fiber_hold_turn(true);
    addr_t root = vm_enter_aspace(space->aspace, cpu);
    space->loaded++;
    tlb_drop_user(cpu);
    leave(cpu);
    cpus[cpu] = (struct cpu){.aid = space->aid, .root = root};
    fiber_hold_turn(false);
}

void cpu_enter_kernel(void)
{
    aspace_id kernel = vm_get_kernel_aspace_id();
    cpu_know(kernel);
    for (unsigned i = 0; i < count; i++) {
        cpus[i].aid = ERR_VM_INVALID_ASPACE;
        cpu_load(i, kernel);
    }
    kernel_root = cpus[0].root;
}

void cpu_stop(void)
{
    for (unsigned i = 0; i < count; i++) {
        leave(i);
        cpus[i] = (struct cpu){0};
    }
    while (space_count > 0)
        vm_put_aspace(spaces[--space_count].aspace);
}

void cpu_unload(aspace_id aid)
{
    for (unsigned i = 0; i < count; i++)
        if (cpus[i].aid == aid)
            cpu_load(i, ERR_VM_INVALID_ASPACE);
}

unsigned cpu_count(void)
{
    return count;
}

addr_t cpu_root(unsigned cpu)
{
    return cpus[cpu].root;
}

addr_t cpu_kernel_root(void)
{
    return kernel_root;
}
