/* SPDX-License-Identifier: MIT */
/* /proc/self/smaps and the other files about memory. No memory is allocated here while it is counted. */
#include "cases.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define TEXT_SIZE 65536

static char text[TEXT_SIZE];

static void read_text(const char *path)
{
    int file = open(path, O_RDONLY);
    size_t length = 0;
    ssize_t got;
    must(file >= 0, path);
    while (length < TEXT_SIZE - 1 && (got = read(file, text + length, TEXT_SIZE - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(file);
}

static long number(const char *at)
{
    long value = 0;
    while (*at == ' ' || *at == '\t')
        at++;
    for (; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - '0');
    return value;
}

/* The figure of the first line from `from` on that begins with `name`; -1: there is none. */
static long figure_from(const char *from, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = from; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0)
            return number(line + length);
    }
    return -1;
}

/* Where smaps, which has been read, begins with the region at `memory`. */
static const char *smaps_of(const void *memory)
{
    char start[32];
    snprintf(start, sizeof(start), "%08lx-", (unsigned long)memory);
    const char *at = strstr(text, start);
    must(at != NULL, "no such region in smaps");
    return at;
}

static const char *const all_names[] = {
    "Size:",         "KernelPageSize:", "MMUPageSize:",   "Rss:",           "Pss:",
    "Shared_Clean:", "Shared_Dirty:",   "Private_Clean:", "Private_Dirty:", "Referenced:",
    "Anonymous:",    "LazyFree:",       "Swap:",          "SwapPss:",       "Locked:",
};

static void say_smaps(const char *step, const void *memory, size_t count, const char *const *names)
{
    char line[512];
    size_t length = 0;
    read_text("/proc/self/smaps");
    const char *region = smaps_of(memory);
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(line + length, sizeof(line) - length, " %s %ld", names[i],
                                   figure_from(region, names[i]));
    say("%s:%s", step, line);
}

#define SAY_ALL(step, memory)                                                                      \
    say_smaps(step, memory, sizeof(all_names) / sizeof(*all_names), all_names)
#define SAY(step, memory, ...)                                                                     \
    say_smaps(step, memory, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                \
              (const char *const[]){__VA_ARGS__})

static bool has_flag(const void *memory, const char *flag)
{
    read_text("/proc/self/smaps");
    const char *flags = strstr(smaps_of(memory), "VmFlags:");
    must(flags != NULL, "no VmFlags");
    for (flags += strlen("VmFlags:"); *flags == ' '; flags += 3)
        if (strncmp(flags + 1, flag, 2) == 0)
            return true;
    return false;
}

static void of_memory(void)
{
    uint8_t *memory = map_pages(16);
    SAY_ALL("untouched", memory);
    fill_pages(memory, 8, 1);
    SAY_ALL("eight written", memory);
    madvise(memory, 4 * PAGE, MADV_DONTNEED);
    SAY_ALL("four dropped", memory);
}

static void of_locked_memory(void)
{
    uint8_t *memory = map_pages(6);
    fill_pages(memory, 2, 1);
    must(mlock(memory, 6 * PAGE) == 0, "mlock");
    SAY("locked", memory, "Size:", "Rss:", "Pss:", "Referenced:", "Anonymous:", "Locked:");
    say_whether("lo", has_flag(memory, "lo"));
    read_text("/proc/self/status");
    say("VmLck: %ld", figure_from(text, "VmLck:"));
    munlock(memory, 6 * PAGE);
    say_whether("lo", has_flag(memory, "lo"));
    read_text("/proc/self/status");
    say("VmLck: %ld", figure_from(text, "VmLck:"));
}

static void of_shared_memory(void)
{
    uint8_t *memory = map_shared_pages(6);
    fill_pages(memory, 3, 1);
    SAY("written", memory, "Size:", "Rss:", "Pss:", "Private_Dirty:", "Anonymous:");
    say_whether("sh", has_flag(memory, "sh"));
}

/* How many pages around an access come along is each system's own. */
static void of_a_private_file(void)
{
    int file = make_file("tmp/smaps", 4 * PAGE);
    uint8_t *memory = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, file, 0);
    SAY("untouched", memory, "Size:", "Rss:", "Anonymous:");
    memory[0] = 9;
    SAY("one written", memory, "Private_Dirty:", "Anonymous:");
    const char *region = smaps_of(memory);
    say_whether("the parts are the whole",
                figure_from(region, "Rss:") == figure_from(region, "Shared_Clean:") +
                                                   figure_from(region, "Shared_Dirty:") +
                                                   figure_from(region, "Private_Clean:") +
                                                   figure_from(region, "Private_Dirty:"));
}

static void share_of_child(void *argument)
{
    const uint8_t *memory = argument;
    say_pages("it sees", memory, 4);
    SAY("shared with the parent", memory, "Rss:", "Pss:", "Private_Clean:", "Private_Dirty:");
    const char *region = smaps_of(memory);
    say("shared: %ld", figure_from(region, "Shared_Clean:") + figure_from(region, "Shared_Dirty:"));
    *(uint8_t *)argument = 9;
    SAY("one written", memory, "Rss:", "Pss:", "Private_Dirty:");
}

static void of_a_child(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    in_child("child", share_of_child, memory);
}

static void flags(void)
{
    uint8_t *memory = map_pages(4);
    say_whether("rd", has_flag(memory, "rd"));
    say_whether("wr", has_flag(memory, "wr"));
    say_whether("ex", has_flag(memory, "ex"));
    say_whether("sh", has_flag(memory, "sh"));
    madvise(memory, 4 * PAGE, MADV_RANDOM);
    say_whether("random: rr", has_flag(memory, "rr"));
    madvise(memory, 4 * PAGE, MADV_SEQUENTIAL);
    say_whether("in order: sr", has_flag(memory, "sr"));
    say_whether("rr", has_flag(memory, "rr"));
    madvise(memory, 4 * PAGE, MADV_NORMAL);
    say_whether("normal: sr", has_flag(memory, "sr"));
    madvise(memory, 4 * PAGE, MADV_DONTFORK);
    say_whether("not for children: dc", has_flag(memory, "dc"));
    mprotect(memory, 4 * PAGE, PROT_NONE);
    say_whether("no access: rd", has_flag(memory, "rd"));
}

static void rollup(void)
{
    static const char *const names[] = {
        "Rss:",           "Pss:",        "Shared_Clean:", "Shared_Dirty:",
        "Private_Clean:", "Referenced:", "Anonymous:",    "Swap:"};
    long sum = 0, size = 0;
    uint8_t *memory = map_pages(64);
    fill_pages(memory, 64, 1);
    read_text("/proc/self/smaps");
    for (const char *at = text; (at = strstr(at, "\nRss:")) != NULL; at++)
        sum += figure_from(at + 1, "Rss:");
    read_text("/proc/self/smaps_rollup");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        say_whether(names[i], figure_from(text, names[i]) >= 0);
    size = figure_from(text, "Rss:");
    say_whether("the sum of all regions", size >= sum && size <= sum + 512 && sum >= 256);
    say_whether("[rollup]", strstr(text, "[rollup]\n") != NULL);
}

static long field(int wanted)
{
    const char *at = text;
    for (int i = 0; i < wanted; i++)
        at = strchr(at, ' ') + 1;
    return number(at);
}

/* The second time nothing else comes along. */
static void statm(void)
{
    for (int round = 0; round < 2; round++) {
        read_text("/proc/self/statm");
        long size = field(0), resident = field(1), shared = field(2), data = field(5);
        fill_pages(map_pages(100), 10, 1);
        read_text("/proc/self/statm");
        if (round == 1)
            say("size: %ld, resident: %ld, shared: %ld, data: %ld", field(0) - size,
                field(1) - resident, field(2) - shared, field(5) - data);
    }
}

static void status(void)
{
    static const char *const names[] = {"VmSize:",   "VmLck:",  "VmRSS:", "RssAnon:", "RssFile:",
                                        "RssShmem:", "VmData:", "VmStk:", "VmExe:",   "VmSwap:"};
    read_text("/proc/self/status");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        say_whether(names[i], figure_from(text, names[i]) >= 0);
    say_whether("the parts are the whole",
                figure_from(text, "VmRSS:") == figure_from(text, "RssAnon:") +
                                                   figure_from(text, "RssFile:") +
                                                   figure_from(text, "RssShmem:"));
    for (int round = 0; round < 2; round++) {
        read_text("/proc/self/status");
        long size = figure_from(text, "VmSize:"), anonymous = figure_from(text, "RssAnon:"),
             data = figure_from(text, "VmData:");
        fill_pages(map_pages(50), 20, 1);
        read_text("/proc/self/status");
        if (round == 1)
            say("VmSize: %ld, RssAnon: %ld, VmData: %ld", figure_from(text, "VmSize:") - size,
                figure_from(text, "RssAnon:") - anonymous, figure_from(text, "VmData:") - data);
    }
}

static void meminfo(void)
{
    static const char *const names[] = {
        "MemTotal:",  "MemFree:",  "MemAvailable:", "Buffers:",    "Cached:",      "SwapCached:",
        "Active:",    "Inactive:", "SwapTotal:",    "SwapFree:",   "Dirty:",       "Writeback:",
        "AnonPages:", "Mapped:",   "Slab:",         "PageTables:", "CommitLimit:", "Committed_AS:"};
    read_text("/proc/meminfo");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        say_whether(names[i], figure_from(text, names[i]) >= 0);
    say_whether("less is free than there is",
                figure_from(text, "MemFree:") < figure_from(text, "MemTotal:"));
}

static void vmstat(void)
{
    static const char *const names[] = {"nr_free_pages ", "nr_anon_pages ", "nr_mapped ",
                                        "nr_file_pages ", "nr_dirty ",      "nr_writeback ",
                                        "pgpgin ",        "pgpgout ",       "pswpin ",
                                        "pswpout ",       "pgfault ",       "pgmajfault "};
    read_text("/proc/vmstat");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        say_whether(names[i], figure_from(text, names[i]) >= 0);
    long faults = figure_from(text, "pgfault ");
    fill_pages(map_pages(100), 100, 1);
    read_text("/proc/vmstat");
    say_whether("a fault for each page", figure_from(text, "pgfault ") - faults >= 100);
}

const struct guest_case figures_cases[] = {
    {"figures.of_memory", of_memory},
    {"figures.of_locked_memory", of_locked_memory},
    {"figures.of_shared_memory", of_shared_memory},
    {"figures.of_a_private_file", of_a_private_file},
    {"figures.of_a_child", of_a_child},
    {"figures.flags", flags},
    {"figures.rollup", rollup},
    {"figures.statm", statm},
    {"figures.status", status},
    {"figures.meminfo", meminfo},
    {"figures.vmstat", vmstat},
    {NULL, NULL},
};
