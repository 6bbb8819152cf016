/* SPDX-License-Identifier: MIT */
/* The region as a map of cells, from what the kernel says of its pages: drawn again where it stands. Nothing here
 * touches the region. */
#include "demo.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "digits.h"
#include "terminal.h"

#define EACH 4096 /* records, between two looks at the clock */
#define PAUSE 0.2 /* seconds, between two pictures */
#define ROWS 8u
#define MAX_COLUMNS 96u
#define MIN_WIDTH 64u /* of the terminal: no line of a picture may wrap */
#define HEAD 2u       /* lines above the map, and below */
#define TAIL 1u

/* Of an entry of /proc/PID/pagemap. */
#define PRESENT ((uint64_t)1 << 63)
#define PROTECTED ((uint64_t)1 << 57) /* by userfaultfd: Quire does that with what isn't modified */

enum cell { ABSENT, STORED, CLEAN, MODIFIED };
static const struct {
    const char *mark, *colour, *name;
} looks[] = {
    [ABSENT] = {".", "2", "not there yet"},
    [STORED] = {"o", "34", NULL},
    [CLEAN] = {"+", "32", "in memory"},
    [MODIFIED] = {"#", "33;1", "modified"},
};

static struct {
    const struct demo_options *options;
    vm_store *store;
    uintptr_t region;
    size_t pages, written, merged; /* how far each half has come to be, in pages */
    int pagemap;                   /* -1: no picture */
    bool colours, drawn;
    unsigned columns;
    double drawn_at;
    size_t store_peak;
} picture;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool is_wanted(const struct demo_options *options)
{
    const char *terminal = getenv("TERM");
    return !options->json && isatty(STDOUT_FILENO) == 1 && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

void demo_picture_start(const struct demo_options *options, const void *region, vm_store *store)
{
    unsigned rows, columns;
    terminal_size(&rows, &columns);
    memset(&picture, 0, sizeof picture);
    picture.options = options;
    picture.store = store;
    picture.region = (uintptr_t)region;
    picture.pages = options->size / VM_PAGE_SIZE;
    picture.columns = columns > MAX_COLUMNS + 2 ? MAX_COLUMNS : columns - 2;
    const char *no_colour = getenv("NO_COLOR");
    picture.colours = no_colour == NULL || no_colour[0] == '\0';
    picture.pagemap = is_wanted(options) && rows > ROWS + HEAD + TAIL && columns >= MIN_WIDTH
                          ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)
                          : -1;
}

/* Whether a page was written yet: both halves come to be from their beginnings. */
static bool was_written(size_t page)
{
    size_t half = picture.pages / 2;
    return page < half ? page < picture.written : page - half < picture.merged;
}

static enum cell state_of(uint64_t entry, size_t page)
{
    if (entry & PRESENT)
        return entry & PROTECTED ? CLEAN : MODIFIED;
    return was_written(page) ? STORED : ABSENT;
}

/* A cell is as its most lively page. */
static enum cell look_at(size_t first, size_t end)
{
    static uint64_t entries[512];
    enum cell state = ABSENT;
    for (size_t page = first; page < end;) {
        size_t count = end - page < 512 ? end - page : 512;
        off_t at = (off_t)((picture.region / VM_PAGE_SIZE + page) * sizeof *entries);
        ssize_t got = pread(picture.pagemap, entries, count * sizeof *entries, at);
        if (got <= 0)
            return state;
        count = (size_t)got / sizeof *entries;
        for (size_t i = 0; i < count; i++) {
            enum cell other = state_of(entries[i], page + i);
            state = other > state ? other : state;
        }
        page += count;
    }
    return state;
}

static void draw_mark(enum cell state)
{
    if (picture.colours)
        printf("\033[%sm%s\033[0m", looks[state].colour, looks[state].mark);
    else
        fputs(looks[state].mark, stdout);
}

static void draw_map(void)
{
    size_t cells = (size_t)ROWS * picture.columns;
    for (size_t cell = 0; cell < cells; cell++) {
        if (cell % picture.columns == 0)
            fputs("\n\033[K ", stdout);
        draw_mark(look_at(picture.pages * cell / cells, picture.pages * (cell + 1) / cells));
    }
}

static void draw_legend(void)
{
    const char *stored = picture.options->kind == DEMO_FILE     ? "in the file"
                         : picture.options->kind == DEMO_MEMORY ? "in the store"
                                                                : "compressed";
    fputs("\n\033[K ", stdout);
    for (int state = MODIFIED; state >= ABSENT; state--) {
        draw_mark((enum cell)state);
        printf(" %s  ", state == STORED ? stored : looks[state].name);
    }
}

static void draw(const char *phase, size_t done, size_t all)
{
    struct quire_info info;
    if (quire_get_info(&info) != VM_OK)
        return;
    if (picture.drawn)
        printf("\r\033[%uA", HEAD + ROWS + TAIL - 1);
    picture.drawn = true;
    printf("\033[K %s: %zu %% of %zu MiB, in %zu MiB\n\033[K %s faults, %s pages evicted", phase,
           100 * done / all, picture.options->size >> 20, picture.options->budget >> 20,
           grouped(info.faults), grouped(info.evicted));
    draw_map();
    draw_legend();
    fflush(stdout);
}

/* Who interrupts it finds a whole picture, with the cursor below and no colour left. */
static void draw_whole(const char *phase, size_t done, size_t all)
{
    sigset_t ends, before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGQUIT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, &before);
    draw(phase, done, all);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void note_progress(const char *phase, size_t done)
{
    size_t pages = done * sizeof(struct record) / VM_PAGE_SIZE;
    if (strcmp(phase, "writing") == 0)
        picture.written = pages;
    else if (strcmp(phase, "merging") == 0)
        picture.merged = pages;
    size_t used = demo_store_bytes(picture.options, picture.store);
    picture.store_peak = used > picture.store_peak ? used : picture.store_peak;
}

void demo_picture_progress(const char *phase, size_t done, size_t all)
{
    if (done % EACH != 0 && done != all)
        return;
    note_progress(phase, done);
    double time = now();
    if (picture.pagemap < 0 || (done != all && time < picture.drawn_at + PAUSE))
        return;
    draw_whole(phase, done, all);
    picture.drawn_at = now();
}

void demo_picture_end(void)
{
    if (picture.drawn)
        puts("\n");
    if (picture.pagemap >= 0)
        close(picture.pagemap);
    picture.pagemap = -1;
    picture.drawn = false;
}

size_t demo_picture_store_peak(void)
{
    return picture.store_peak;
}
