/* SPDX-License-Identifier: MIT */
#include "demo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"

#define EXAMPLE "examples/sort.c"

size_t demo_proc_bytes(const char *path, const char *name)
{
    char line[256];
    size_t bytes = 0, length = strlen(name);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            bytes = strtoull(line + length + 1, NULL, 10) << 10;
    if (file != NULL)
        fclose(file);
    return bytes;
}

static double mib(size_t bytes)
{
    return (double)bytes / (1 << 20);
}

static const char *json_bool(bool value)
{
    return value ? "true" : "false";
}

/* As a string of JSON's: a path may have any byte but 0. */
static void json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\')
            printf("\\u%04x", (unsigned)(unsigned char)*text);
        else
            putchar(*text);
    putchar('"');
}

static void say_json(const struct demo_options *options, const struct demo_figures *f)
{
    printf("{\"size\": %zu, \"budget\": %zu, \"store\": ", options->size, options->budget);
    json_text(options->store);
    printf(", \"seed\": %" PRIu64 ", \"records\": %zu, \"runs\": %zu, \"checksum\": \"%016" PRIx64
           "\", \"sorted\": %s, \"same_set\": %s, \"peak_rss\": %zu, \"store_bytes\": %zu, "
           "\"good\": %s, ",
           options->seed, f->records, f->runs, f->after.checksum, json_bool(f->after.sorted),
           json_bool(f->before.checksum == f->after.checksum), f->peak, f->store_bytes,
           json_bool(f->is_good));
    printf("\"faults\": %" PRIu64 ", \"pages_read\": %" PRIu64 ", \"pages_written\": %" PRIu64
           ", \"pages_evicted\": %" PRIu64
           ", \"seconds\": {\"fill\": %.3f, \"sort\": %.3f, \"check\": %.3f, \"plain\": ",
           f->info.faults, f->info.read, f->info.written, f->info.evicted, f->fill, f->sort,
           f->check);
    if (f->plain >= 0)
        printf("%.3f", f->plain);
    else
        printf("null");
    printf("}, \"example\": \"" EXAMPLE "\"}\n");
}

static void say_memory(const struct demo_options *options, const struct demo_figures *f)
{
    printf("  the region                  %10.1f MiB\n", mib(options->size));
    printf("  the budget                  %10.1f MiB\n", mib(options->budget));
    printf("  the store's own memory      %10.1f MiB  %s\n", mib(f->store_bytes), options->store);
    printf("  this process, at its peak   %10.1f MiB  VmHWM, as Linux counts it\n", mib(f->peak));
}

static void say_times(const struct demo_figures *f)
{
    printf("  faults                      %10s\n", grouped(f->info.faults));
    printf("  pages evicted               %10s  %s written to the store, %s read from it\n",
           grouped(f->info.evicted), grouped(f->info.written), grouped(f->info.read));
    printf("  the sort took               %10.2f s\n", f->sort);
    if (f->plain >= 0)
        printf("  the same in plain memory    %10.2f s\n", f->plain);
    else
        printf("  the same in plain memory             -    this machine has not that much left\n");
}

static void say(const struct demo_options *options, const struct demo_figures *f)
{
    printf("%s records of %zu bytes, sorted in %zu run%s and merged, all in one region\n",
           grouped(f->records), sizeof(struct record), f->runs, f->runs == 1 ? "" : "s");
    say_memory(options, f);
    say_times(f);
    printf("  checksum              %016" PRIx64 "  %s\n", f->after.checksum,
           f->before.checksum == f->after.checksum ? "verified: the same records as before"
                                                   : "WRONG: not the records that were written");
    printf("  order                             %s\n",
           f->after.sorted ? "verified: sorted" : "WRONG: not sorted");
    printf("How it is done, in a screenful of C: " EXAMPLE "\n");
}

void demo_report(const struct demo_options *options, const struct demo_figures *figures)
{
    (options->json ? say_json : say)(options, figures);
}
