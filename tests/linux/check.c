/* SPDX-License-Identifier: MIT */
/* Whether the host's tables, the core's and Linux's say the same, when nothing else runs. */
#include "../../host/linux/linux.h"

#include "support.h"

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

void check_tables(void)
{
    place_wait_for_fills(); /* a handler thread may not be done when the access is */
    pending_drain();
    assert_int_equal(vm_check(), 0);
    assert_int_equal(shown_by_the_host(), shown_by_linux());
}
