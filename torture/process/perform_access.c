/* SPDX-License-Identifier: MIT */
/* What a program does with memory. */
#include "perform.h"

#include "access.h"

/* Bytes from somewhere in the first page, over several pages as a rule. */
struct part {
    struct region *region;
    size_t from, size;
};

static struct part part_of(const struct call *call)
{
    struct part part = {.region = world_choose(call->argument[0])};
    if (part.region == NULL)
        return part;
    size_t all = part.region->pages * PAGE;
    part.from = (call->argument[1] % part.region->pages) * PAGE + call->argument[3] % PAGE;
    size_t most = call->argument[2] % 4 == 0 ? 8 : 5 * PAGE;
    part.size = 1 + call->argument[2] % most;
    if (part.size > all - part.from)
        part.size = all - part.from;
    return part;
}

static void read_part(const struct call *call)
{
    struct part part = part_of(call);
    for (size_t done = 0, size; done < part.size; done += size) {
        size_t at = part.from + done, left = PAGE - at % PAGE;
        size = part.size - done < left ? part.size - done : left;
        access_compare(part.region, at / PAGE, at % PAGE, size);
    }
}

static void write_part(const struct call *call)
{
    struct part part = part_of(call);
    unsigned char bytes[PAGE];
    uint64_t seed = call->argument[3];
    for (size_t i = 0; i < PAGE; i += 8)
        *(uint64_t *)(void *)(bytes + i) = call->argument[3] % 7 ? call_random(&seed) : 0;
    for (size_t done = 0, size; done < part.size; done += size) {
        size_t at = part.from + done, left = PAGE - at % PAGE;
        size = part.size - done < left ? part.size - done : left;
        access_write(part.region, at / PAGE, at % PAGE, size, bytes);
    }
}

static void copy_page(const struct call *call)
{
    struct region *from = world_choose(call->argument[0]), *to = world_choose(call->argument[1]);
    if (from == NULL)
        return;
    size_t page = call->argument[2] % from->pages;
    size_t to_page = call->argument[3] % 3 ? page % to->pages : call->argument[3] / 3 % to->pages;
    bool same = from == to && page == to_page;
    if (!same && page_is_readable(from, page) && page_is_writable(to, to_page) &&
        !(from->page[page] & PAGE_MAY_BE_ZERO))
        access_copy(from, page, to, to_page);
}

static void add(const struct call *call)
{
    struct region *region = world_choose(call->argument[0]);
    if (region != NULL)
        access_add(region, call->argument[1] % region->pages,
                   call->argument[3] % (PAGE / sizeof(uint64_t)), call->argument[2]);
}

void perform_access(const struct call *call)
{
    switch (call->kind) {
    case CALL_READ:
        read_part(call);
        break;
    case CALL_WRITE:
        write_part(call);
        break;
    case CALL_COPY:
        copy_page(call);
        break;
    default:
        add(call);
    }
}
