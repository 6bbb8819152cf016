/* SPDX-License-Identifier: MIT */
#include "demo.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "help.h"

/* What the process may have beside budget and store: its program and libraries, buffers, and what a store remembers
 * of each page. */
static size_t most_memory(const struct demo_options *options, const struct demo_figures *f)
{
    return options->budget + f->store_bytes + ((size_t)16 << 20) + options->size / 256;
}

/* An access that Quire couldn't bring about; there is nothing to go on with. */
static void on_sigbus(int number)
{
    static const char text[] = "quire: the store failed to read or write a page, so there is "
                               "nothing to go on with; is its disk or memory full?\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(STATUS_ERROR);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void no_progress(const char *phase, size_t done, size_t all)
{
    (void)phase, (void)done, (void)all;
}

/* In the region, all of it: its second half is where the runs are merged. */
static int sort_in(void *region, const struct demo_options *options, struct demo_figures *f,
                   demo_progress *progress)
{
    struct record *records = region, *merged = records + f->records;
    size_t run = demo_run_bytes(options) / sizeof(struct record);
    struct demo_check unsorted;
    double begin = seconds();
    demo_fill(records, f->records, options->seed, progress);
    f->fill = seconds() - begin;
    demo_check(records, f->records, &unsorted, progress);
    f->before = unsorted;
    begin = seconds();
    if (!demo_sort(records, merged, f->records, run, progress))
        return fail_no_memory();
    f->sort = seconds() - begin;
    begin = seconds();
    demo_check(merged, f->records, &f->after, progress);
    f->check = seconds() - begin;
    return 0;
}

static int sort_in_region(const struct demo_options *options, struct demo_figures *f)
{
    struct quire_mapping mapping = {.name = "records", .size = options->size};
    void *region;
    int status = demo_store_create(options, &mapping.store);
    if (status != 0)
        return status;
    int error = quire_map(&mapping, &region);
    if (error != VM_OK) {
        mapping.store->ops->destroy(mapping.store);
        return fail(STATUS_ERROR,
                    "a region of %zuM: %s; give a larger --budget or a smaller --size",
                    options->size >> 20, vm_error_text(error));
    }
    demo_picture_start(options, region, mapping.store);
    status = sort_in(region, options, f, demo_picture_progress);
    demo_picture_end();
    f->store_bytes = demo_picture_store_peak();
    (void)quire_get_info(&f->info);
    f->peak = demo_proc_bytes("/proc/self/status", "VmHWM");
    return status;
}

static int start(const struct demo_options *options)
{
    struct quire_options quire = {.budget = options->budget};
    struct sigaction action = {.sa_handler = on_sigbus};
    sigaction(SIGBUS, &action, NULL);
    (void)signal(SIGXFSZ,
                 SIG_IGN); /* a file beyond `ulimit -f` is an error of the store, with its words */
    int error = quire_start(&quire);
    if (error == VM_OK)
        return 0;
    if (error == ERR_UNSUPPORTED)
        return fail(STATUS_ERROR, "a process can't page itself here: %s; quire doctor says more",
                    quire_why());
    return fail(STATUS_ERROR, "--budget %zuM: %s; give another", options->budget >> 20,
                vm_error_text(error));
}

/* The same in memory of Linux's, where there is enough of it. */
static int sort_in_plain_memory(const struct demo_options *options, struct demo_figures *f)
{
    struct demo_figures plain = {.records = f->records};
    f->plain = -1;
    f->plain_sorted = true;
    if (demo_proc_bytes("/proc/meminfo", "MemAvailable") / 10 * 9 < options->size)
        return 0;
    void *memory =
        mmap(NULL, options->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 0;
    int status = sort_in(memory, options, &plain, no_progress);
    munmap(memory, options->size);
    f->plain = plain.sort;
    f->plain_sorted = plain.after.sorted && plain.after.checksum == f->after.checksum;
    return status;
}

static int judge(struct demo_figures *f, const struct demo_options *options)
{
    bool fits = f->peak != 0 && f->peak <= most_memory(options, f);
    bool is_right = f->after.sorted && f->before.checksum == f->after.checksum;
    f->is_good = is_right && fits && f->plain_sorted;
    demo_report(options, f);
    if (!fits)
        return fail(1,
                    "this process had %zuM of memory, more than its budget and its store "
                    "account for (%zuM)",
                    f->peak >> 20, most_memory(options, f) >> 20);
    if (!f->plain_sorted)
        return fail(1, "the same sort in plain memory came to something else");
    return is_right ? 0 : 1;
}

static int demo(const struct demo_options *options)
{
    struct demo_figures figures = {.records = options->size / 2 / sizeof(struct record)};
    size_t run = demo_run_bytes(options) / sizeof(struct record);
    figures.runs = (figures.records + run - 1) / run;
    int status = start(options);
    if (status != 0)
        return status;
    status = sort_in_region(options, &figures);
    int error = quire_stop();
    if (status == 0 && error != VM_OK)
        status = fail(1, "quire_stop: %s", vm_error_text(error));
    if (status == 0)
        status = sort_in_plain_memory(options, &figures);
    return status == 0 ? judge(&figures, options) : status;
}

int main(int argc, char **argv)
{
    struct demo_options options;
    int status = demo_options_parse(&options, argc, argv);
    if (status == 0 && options.help)
        fputs(help_demo, stdout);
    else if (status == 0)
        status = demo(&options);
    return end_output(status);
}
