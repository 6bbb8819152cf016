/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = sim_file_create_numbered("/f", 2);
    OK(vm_get_vnode_cache(file, &cache));
}

/* Across the page that stays and the one that goes. */
static int write_across(void)
{
    static const uint8_t bytes[2] = {11, 12};
    size_t done;
    return vm_cache_write(cache, (off_t)PAGE - 1, bytes, sizeof(bytes), false, &done);
}

static int truncate(void)
{
    sim_file_set_size(file, PAGE);
    return vm_cache_truncate(cache, (off_t)PAGE);
}

static void end(void)
{
    uint8_t seen[2];
    size_t done;
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    OK(vm_cache_read(cache, (off_t)PAGE - 1, seen, sizeof(seen), false, &done));
    MUST(seen[0] == 11, "the write to the page that stays is lost: %d", seen[0]);
    MUST(seen[1] == 0 || seen[1] == 12, "behind the end is %d", seen[1]);
    vm_put_cache(cache);
    MUST(sim_file_data(file)[PAGE - 1] == 11, "the write isn't in the file");
    MUST(sim_file_references(file) == 0, "the file stays referenced");
}

const struct scenario scenario_truncate_against_cache_write = {
    .name = "truncate-against-cache-write",
    .text = "a file gets shorter while a call writes across its new end: the part before it stays",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_across}, {.name = "truncater", .run = truncate}},
    .end = end,
};
