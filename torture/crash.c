/* SPDX-License-Identifier: MIT */
#include "crash.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "crash_work.h"
#include "schedule.h"

#define MEMORY ((size_t)1 << 20)
#define SWAP 160
#define FRAMES_LEFT 44 /* for pages; the files and what the writers have are 120 */
#define FRAMES 256

static jmp_buf ended;
static struct crash_outcome *current;
static addr_t taken[FRAMES];
static size_t taken_count;

static void catch_end(const char *text)
{
    snprintf(current->text, sizeof(current->text), "%s", text);
    longjmp(ended, 1);
}

/* ---- the disk ----------------------------------------------------------------------------------- */

static void check_number(const struct crash_cell *cell, uint32_t number, const char *place)
{
    if (number < cell->confirmed)
        sim_fail("%s has number %u, but %u was confirmed", place, number, cell->confirmed);
    if (number > cell->begun)
        sim_fail("%s has number %u, but %u is the last one written", place, number, cell->begun);
    current->confirmed += cell->confirmed > 0;
    current->outdone += cell->confirmed > 0 && number > cell->confirmed;
}

/* Takes the writer's two numbers out of a copy of the page, and checks them. */
static void check_pair(unsigned file, unsigned page, unsigned writer, uint8_t *bytes)
{
    uint32_t number[CRASH_PAIR];
    char place[64];
    for (unsigned i = 0; i < CRASH_PAIR; i++) {
        uint64_t word;
        size_t within = crash_offset(0, writer, i);
        snprintf(place, sizeof(place), "file %u, page %u, writer %u's %u", file, page, writer, i);
        memcpy(&word, bytes + within, sizeof(word));
        memset(bytes + within, crash_byte(page), sizeof(word));
        number[i] = (uint32_t)word;
        if (word != crash_word(file, page, writer, i, number[i]))
            sim_fail("%s is %#lx: what was never written there", place, (unsigned long)word);
        check_number(&crash_work.cell[file][page][writer][i], number[i], place);
    }
    if (number[1] > number[0] || number[0] > number[1] + 1)
        sim_fail("%s is %u, after %u: the page was never so", place, number[1], number[0]);
}

static void check_page(unsigned file, unsigned page)
{
    uint8_t bytes[VM_PAGE_SIZE];
    memcpy(bytes, sim_file_data(crash_work.file[file]) + page * VM_PAGE_SIZE, sizeof(bytes));
    for (unsigned writer = 0; writer < CRASH_WRITERS; writer++)
        check_pair(file, page, writer, bytes);
    for (size_t i = 0; i < sizeof(bytes); i++)
        if (bytes[i] != crash_byte(page))
            sim_fail("file %u, page %u, byte %zu is %#x: nobody has written that", file, page, i,
                     bytes[i]);
}

static void check_disk(void)
{
    for (unsigned file = 0; file < CRASH_FILES; file++)
        for (unsigned page = 0; page < CRASH_PAGES; page++)
            check_page(file, page);
}

/* ---- a run -------------------------------------------------------------------------------------- */

static size_t available(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.available_pages;
}

static void start(const struct crash_way *way)
{
    struct sim_config config = {
        .memory = MEMORY,
        .cpus = CRASH_WRITERS,
        .swap = SWAP,
        .page_daemons = (unsigned)(way->seed % 3),
        .keep_memory = true,
    };
    int error = sim_start(&config);
    if (error != VM_OK)
        sim_fail("the machine doesn't start: %s", vm_error_text(error));
    taken_count = 0;
    while (available() > FRAMES_LEFT && vm_allocate_frames(1, false, &taken[taken_count]) == VM_OK)
        taken_count++;
    crash_work_begin(way->seed);
    if (way->seed % 4 == 3)
        sim_file_fail_writes(crash_work.file[0], 1 + (unsigned)(way->seed / 4 % 5), 2, ERR_IO);
}

static void run_writers(const struct crash_way *way)
{
    static struct schedule schedule;
    schedule = (struct schedule){.kind = SCHEDULE_RANDOM, .seed = way->seed};
    struct sim_scheduler scheduler = schedule_scheduler(&schedule);
    schedule_begin(&schedule);
    for (uintptr_t i = 0; i < CRASH_WRITERS; i++)
        (void)sim_spawn_on((unsigned)i, crash_work.program, "writer", crash_writer, (void *)i);
    sim_set_hostility(way->seed % 2 == 0 ? way->seed + 2 : SIM_TLB_PLAIN);
    sim_set_scheduler(&scheduler);
    sim_stop_at_write(way->at, way->seed + 1);
    sim_break_disks(way->disk);
    sim_run();
    sim_stop_at_write(0, 0);
    sim_set_scheduler(NULL);
    sim_set_hostility(SIM_TLB_PLAIN);
    sim_file_fail_writes(crash_work.file[0], 0, 0, VM_OK);
}

static void finish(void)
{
    SIM_CHECK();
    crash_work_end();
    check_disk();
    while (taken_count > 0)
        vm_free_frames(taken[--taken_count], 1);
    sim_end();
}

static void run(const struct crash_way *way)
{
    start(way);
    run_writers(way);
    current->pages = sim_pages_written();
    finish();
}

/* The second part of a run that stopped: memory is gone, the files are there. */
static bool look_at_disk(void)
{
    current->text[0] = 0;
    current->stopped = true;
    if (setjmp(ended) == 0)
        check_disk();
    current->failed = current->text[0] != 0;
    return !current->failed;
}

bool crash_run(const struct crash_way *way, struct crash_outcome *outcome)
{
    *outcome = (struct crash_outcome){.failed = false};
    current = outcome;
    sim_set_failure_handler(catch_end);
    if (setjmp(ended) == 0) {
        run(way);
        return true;
    }
    if (sim_is_stopped())
        return look_at_disk();
    outcome->failed = true;
    return false;
}
