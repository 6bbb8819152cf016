/* SPDX-License-Identifier: MIT */
/* One run of a scenario: a fresh machine, the surroundings, the actors under the schedule, the checks,
 * and a machine that ends with nothing left over. */
#include "scenario.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MEMORY ((size_t)1 << 20)

aspace_id program, child;

static const struct scenario *current;
static sim_fiber *fibers[SCENARIO_ACTORS];
static int results[SCENARIO_ACTORS];
static bool failing, short_reads;
static jmp_buf failed;
static char failure_text[1024];

static void catch_failure(const char *text)
{
    snprintf(failure_text, sizeof(failure_text), "%s", text);
    longjmp(failed, 1);
}

static unsigned count_actors(void)
{
    unsigned count = 0;
    while (count < SCENARIO_ACTORS && current->actor[count].run != NULL)
        count++;
    return count;
}

static aspace_id space_of(unsigned actor)
{
    return current->actor[actor].in_child ? child : program;
}

/* ---- for scenarios ------------------------------------------------------------------------------- */

int scenario_result(unsigned actor)
{
    return results[actor];
}

sim_fiber *scenario_fiber(unsigned actor)
{
    return fibers[actor];
}

bool scenario_excuses(int error)
{
    return failing && (error == ERR_NO_MEMORY || error == ERR_VM_WOULD_OVERCOMMIT ||
                       error == ERR_IO || error == ERR_VM_BAD_USER_MEMORY);
}

region_id scenario_region(addr_t base, size_t pages, unsigned lock)
{
    void *at = PTR(base);
    region_id id = vm_create_anonymous_region(program, "scenario", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGES(pages), REGION_WIRING_LAZY, lock);
    OK(id);
    return id;
}

sim_file *scenario_file(addr_t base, size_t pages, unsigned lock, int mapping)
{
    void *at = PTR(base);
    sim_file *file = sim_file_create_numbered("/f", pages);
    OK(vm_map_vnode(program, "file", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(pages), lock, mapping,
                    file, 0));
    return file;
}

region_id scenario_wired_tail(addr_t base, size_t pages)
{
    vm_cache_ref *cache;
    sim_file *file = scenario_file(base, pages, LOCK_RW, REGION_PRIVATE_MAP);
    OK(vm_wire_range(program, base, PAGES(pages)));
    OK(vm_get_vnode_cache(file, &cache));
    sim_file_set_size(file, PAGE);
    OK(vm_cache_truncate(cache, (off_t)PAGE));
    vm_put_cache(cache);
    return scenario_find(base);
}

int scenario_clone(region_id source, addr_t base)
{
    void *at = PTR(base);
    region_id id = vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS, source,
                                   REGION_NO_PRIVATE_MAP, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

void scenario_number(addr_t base, size_t pages, unsigned first)
{
    for (size_t i = 0; i < pages; i++)
        OK(sim_write_byte(base + PAGES(i), (uint8_t)(first + i)));
}

void scenario_two_pages(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

int scenario_reclaim(void)
{
    (void)vm_reclaim(2);
    return VM_OK;
}

region_id scenario_find(addr_t address)
{
    vm_region_info info;
    addr_t cookie = address;
    bool found = vm_get_next_region_info(program, &cookie, &info) == VM_OK && info.base <= address;
    return found ? info.id : ERR_NOT_FOUND;
}

void scenario_fork(void)
{
    child = vm_copy_aspace(program, "child");
    OK(child);
}

/* A page that its store has filled only in part, on purpose, is zero there. */
static bool is_cut_short(int seen)
{
    return short_reads && seen == 0;
}

bool scenario_either(int seen, int one, int other)
{
    return seen == one || seen == other || scenario_excuses(seen) || is_cut_short(seen);
}

static void expect_in(aspace_id space, addr_t address, int expected)
{
    sim_set_aspace(space);
    for (unsigned cpu = count_actors(); cpu-- > 0;) {
        sim_set_cpu(cpu);
        int seen = sim_read_byte(address);
        MUST(seen == expected || is_cut_short(seen), "%s %#lx on CPU %u: %d (%s), not %d",
             space == child ? "child," : "program,", (unsigned long)address, cpu, seen,
             vm_error_text(seen), expected);
    }
}

void scenario_expect(addr_t address, int expected)
{
    expect_in(program, address, expected);
}

int scenario_child_byte(addr_t address)
{
    sim_set_aspace(child);
    int seen = sim_read_byte(address);
    sim_set_aspace(program);
    return seen;
}

void scenario_expect_child(addr_t address, int expected)
{
    expect_in(child, address, expected);
    sim_set_aspace(program);
}

const struct scenario *scenario_by_name(const char *name)
{
    for (size_t i = 0; i < scenario_count; i++)
        if (strcmp(scenarios[i]->name, name) == 0)
            return scenarios[i];
    return NULL;
}

/* ---- running ------------------------------------------------------------------------------------- */

static int act(void *number)
{
    return current->actor[(uintptr_t)number].run();
}

static void start(void)
{
    struct sim_config config = {
        .memory = current->memory != 0 ? current->memory : DEFAULT_MEMORY,
        .cpus = count_actors(),
        .swap = current->swap,
        .keep_memory = true,
    };
    OK(sim_start(&config));
    (void)sim_run_until_blocked(); /* the core's own threads are where they wait */
    child = 0;
    program = sim_new_aspace();
    OK(program);
    if (current->begin != NULL)
        current->begin();
    sim_set_aspace(program);
}

static void run_actors(struct schedule *schedule, const struct scenario_failure *failure)
{
    struct sim_scheduler scheduler = schedule_scheduler(schedule);
    unsigned count = count_actors();
    schedule_begin(schedule);
    for (unsigned i = 0; i < count; i++)
        fibers[i] = sim_spawn_on(i, space_of(i), current->actor[i].name, act, (void *)(uintptr_t)i);
    sim_set_hostility(schedule->hostility);
    sim_set_scheduler(&scheduler);
    failing = failure->n > 0;
    short_reads = failing && failure->class == SIM_FAIL_SHORT_READ;
    sim_fail_at(failure->class, failure->n, failure->forever);
    sim_run();
    sim_set_scheduler(NULL);
    sim_set_hostility(SIM_TLB_PLAIN);
    for (unsigned i = 0; i < count; i++)
        results[i] = sim_fiber_result(fibers[i]);
}

#define SWAP_RESTS ((uint64_t)1100000000) /* then an area that failed is tried again */

/* What has failed on request succeeds when it is tried again. */
static void try_again(void)
{
    sim_sleep(SWAP_RESTS);
    for (unsigned i = 0; i < count_actors(); i++) {
        if (!scenario_excuses(results[i]))
            continue;
        sim_set_aspace(space_of(i));
        sim_set_cpu(i);
        int again = act((void *)(uintptr_t)i);
        MUST(!scenario_excuses(again),
             "%s failed on request with \"%s\", and then again with \"%s\"", current->actor[i].name,
             vm_error_text(results[i]), vm_error_text(again));
        results[i] = again;
    }
}

static void delete_space(aspace_id *aid)
{
    if (*aid > 0 && sim_delete_aspace(*aid) != VM_OK)
        *aid = 0; /* an actor has deleted it */
    *aid = 0;
}

static void finish(void)
{
    sim_set_aspace(program);
    sim_set_cpu(0);
    SIM_CHECK();
    if (current->end != NULL)
        current->end();
    SIM_CHECK();
    delete_space(&child);
    delete_space(&program);
    MUST(sim_committed() == 0, "%lld bytes stay promised", (long long)sim_committed());
    sim_end();
}

bool scenario_run(const struct scenario *scenario, struct schedule *schedule,
                  const struct scenario_failure *failure, struct scenario_outcome *outcome)
{
    static const struct scenario_failure none;
    current = scenario;
    failing = short_reads = false;
    *outcome = (struct scenario_outcome){.failed = false};
    sim_set_failure_handler(catch_failure);
    if (setjmp(failed) != 0) {
        outcome->failed = true;
        snprintf(outcome->text, sizeof(outcome->text), "%s", failure_text);
        return false;
    }
    start();
    uint64_t before = sim_steps();
    run_actors(schedule, failure != NULL ? failure : &none);
    outcome->steps = sim_steps() - before;
    if (failing) {
        outcome->failed_here = sim_fail_done(failure->class);
        sim_fail_at(failure->class, 0, false);
        try_again();
    }
    finish();
    return true;
}
