/* SPDX-License-Identifier: MIT */
/* Whether the host's tables, the core's and Linux's say the same, when nothing else runs. */
#include "../../host/linux/regions.h"

#include "support.h"

#include <dirent.h>
#include <unistd.h>

static size_t shown_by_linux(void)
{
    size_t pages = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[256];
    bool inside = false;
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        unsigned long first, end, kib;
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
            inside = is_regions(first);
        else if (inside && sscanf(line, "Rss: %lu", &kib) == 1)
            pages += kib / 4;
    }
    fclose(maps);
    return pages;
}

static size_t shown_by_the_host(void)
{
    size_t shown = 0;
    for (uint32_t frame = 0; frame < process.frames; frame++) {
        assert_int_equal(nodes[frame].pins, 0);
        if (!is_regions(nodes[frame].at))
            continue;
        assert_int_equal(place_find(nodes[frame].at), frame);
        shown++;
    }
    for (size_t i = 0; i < process.replicas; i++)
        shown += nodes[process.frames + 2 * process.batch + i].at != 0;
    return shown;
}

/* Each other thread waits for something. */
static bool all_sleep(void)
{
    bool sleep = true;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *task; sleep && (task = readdir(tasks)) != NULL;) {
        char path[300], state;
        int id = atoi(task->d_name); /* 0: of no thread */
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
        FILE *about = id != 0 && id != gettid() ? fopen(path, "r") : NULL;
        if (!about)
            continue;
        sleep = fscanf(about, "%*d (%*[^)]) %c", &state) != 1 || (state != 'R' && state != 'D');
        fclose(about);
    }
    closedir(tasks);
    return sleep;
}

/* A handler thread may not be done when the access is. */
static void wait_for_handlers(void)
{
    for (unsigned times = 0; times < 3; times = all_sleep() ? times + 1 : 0)
        usleep(500);
    place_wait_for_fills();
}

static void end_reading_ahead(void)
{
    addr_t cookie = process.base;
    vm_region_info info;
    while (vm_get_next_region_info(process.aid, &cookie, &info) == VM_OK) {
        const struct region *region = region_of(info.base);
        if (region) {
            ahead_drop(region);
            ahead_wait(region);
        }
    }
}

void check_tables(void)
{
    end_reading_ahead();
    wait_for_handlers();
    away_return_all(process.base, process.base + process.size);
    pending_drain();
    assert_int_equal(vm_check(), 0);
    assert_int_equal(shown_by_the_host(), shown_by_linux());
}
