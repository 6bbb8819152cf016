/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#include <quire/host.h>
#include <quire/store.h>

/* Pages that no batch of reclaim takes together; it takes two. */
enum { FAR = 16, MODIFIED = 3, STORE_PAGES = FAR * MODIFIED };

static uint8_t bytes[STORE_PAGES];
static unsigned destroyed;
static vm_store store;
static vm_cache_ref *cache;

static void destroy(vm_store *of)
{
    (void)of;
    destroyed++;
}

static bool has_page(vm_store *of, off_t offset)
{
    (void)of, (void)offset;
    return false;
}

static int read(vm_store *of, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    (void)of, (void)offset, (void)frames, (void)count;
    *done = 0;
    return ERR_IO;
}

/* Each page's first byte. */
static int write(vm_store *of, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    (void)of;
    for (size_t i = 0; i < count; i++)
        bytes[(size_t)offset / PAGE + i] = *(const uint8_t *)host_frame_ptr(frames[i]);
    *done = PAGES(count);
    return VM_OK;
}

static const struct vm_store_ops ops = {
    .destroy = destroy, .has_page = has_page, .read = read, .write = write};

static void begin(void)
{
    static const uint8_t byte = 11;
    size_t done;
    store = (vm_store){.ops = &ops};
    destroyed = 0;
    OK(vm_create_cache(&store, (off_t)PAGES(STORE_PAGES), &cache));
    for (size_t i = 0; i < MODIFIED; i++) {
        bytes[i * FAR] = 0;
        OK(vm_cache_write(cache, (off_t)PAGES(i * FAR), &byte, 1, false, &done));
    }
}

static int put(void)
{
    vm_put_cache(cache);
    return VM_OK;
}

static void end(void)
{
    MUST(destroyed == 1, "the store was destroyed %u times", destroyed);
    for (size_t i = 0; i < MODIFIED; i++)
        MUST(scenario_excuses(ERR_IO) || bytes[i * FAR] == 11, "the write of page %zu is lost",
             i * FAR);
}

const struct scenario scenario_last_put_against_reclaim = {
    .name = "last-put-against-reclaim",
    .text = "a cache's last reference is given back while reclaim has one for a moment: what is "
            "modified is written",
    .begin = begin,
    .actor = {{.name = "owner", .run = put}, {.name = "reclaimer", .run = scenario_reclaim}},
    .end = end,
};
