/* SPDX-License-Identifier: MIT */
/* What quire.h does with parts of regions. */
#include "perform.h"

#include <quire/vm.h>
#include <string.h>

/* ---- rights ------------------------------------------------------------------------------------- */

static void protect(const struct call *call, const struct range *range)
{
    bool writable = call->argument[3] % 3 != 0;
    int error = quire_protect(range->at, range->size, writable);
    if (range->error != VM_OK) {
        expect("quire_protect of no range", error, range->error);
        return;
    }
    int expected = writable && range->region->read_only ? ERR_PERMISSION_DENIED : VM_OK;
    if (expect("quire_protect", error, expected))
        perform_mark(range, writable ? 0 : PAGE_PROTECTED, writable ? PAGE_PROTECTED : 0);
}

/* ---- bringing in -------------------------------------------------------------------------------- */

static int error_of(const struct region *region, size_t page, bool write)
{
    if (page >= region->end)
        return ERR_VM_PF_PAST_END;
    return write && !page_is_writable(region, page) ? ERR_VM_PF_BAD_PERM : VM_OK;
}

/* Of the first page that can't be had; both errors are right where both are. */
static int expected_of(const struct range *range, bool write)
{
    int error = VM_OK;
    for (size_t i = 0; i < range->count && error == VM_OK; i++)
        error = error_of(range->region, range->first + i, write);
    return error;
}

/* Few pages of memory that nobody else uses: nothing of them is missing afterwards. */
static void look_at_populated(const struct range *range)
{
    struct quire_info before, after;
    volatile unsigned char byte;
    if (world.way.daemons + world.way.touchers > 0 || range->count > 16 || range->region->from ||
        range->region->shares)
        return;
    (void)quire_get_info(&before);
    for (size_t i = 0; i < range->count; i++)
        byte = range->region->at[(range->first + i) * PAGE];
    (void)quire_get_info(&after);
    (void)byte;
    if (after.faults != before.faults)
        violation("%lu faults at pages that were populated",
                  (unsigned long)(after.faults - before.faults));
}

static void populate(const struct call *call, const struct range *range)
{
    bool write = call->argument[3] % 2, was_failing = world_is_failing();
    int error = quire_populate(range->at, range->size, write);
    if (range->error != VM_OK) {
        expect("quire_populate of no range", error, range->error);
        return;
    }
    if (write)
        perform_mark(range, PAGE_TOUCHED, 0);
    int expected = expected_of(range, write);
    if (expected != VM_OK && error != VM_OK)
        return; /* which of several errors comes first is left open */
    if (error == ERR_NO_MEMORY && !write && range->region->shares)
        return; /* a snapshot shows them, too */
    if (!was_failing || error == VM_OK)
        expect("quire_populate", error, expected);
    if (error == VM_OK)
        look_at_populated(range);
}

static void prefetch(const struct range *range)
{
    int error = quire_prefetch(range->at, range->size);
    expect("quire_prefetch", error, range->error);
}

/* ---- pins --------------------------------------------------------------------------------------- */

static size_t count_not_pinned(const struct range *range)
{
    size_t count = 0;
    for (size_t i = range->first; i < range->first + range->count; i++)
        count += !(range->region->page[i] & PAGE_PINNED);
    return count;
}

/* What is protected is pinned for reading. */
static int expected_of_pin(const struct range *range)
{
    int error = VM_OK;
    for (size_t i = range->first; i < range->first + range->count && error == VM_OK; i++)
        error = error_of(range->region, i, page_is_writable(range->region, i));
    return error;
}

static void pin_has_failed(const struct range *range, int error, bool was_failing)
{
    bool must = expected_of_pin(range) == VM_OK && !was_failing;
    size_t more = count_not_pinned(range);
    if (must && (error != ERR_NO_MEMORY || world.pinned + more < world.frames / 4))
        violation("quire_pin of %zu pages, %zu pinned: %s", range->count, world.pinned,
                  vm_error_text(error));
}

static void pin(const struct range *range)
{
    bool was_failing = world_is_failing();
    int error = quire_pin(range->at, range->size);
    if (range->error != VM_OK) {
        expect("quire_pin of no range", error, range->error);
        return;
    }
    range->region->cut = true;
    perform_mark(range, PAGE_TOUCHED, 0);
    if (error != VM_OK) {
        pin_has_failed(range, error, was_failing);
        return;
    }
    if (expected_of_pin(range) != VM_OK ||
        world.pinned + count_not_pinned(range) > world.frames / 4 * 3)
        violation("quire_pin of what can't be pinned is no error");
    world.pinned += count_not_pinned(range);
    perform_mark(range, PAGE_PINNED, 0);
}

static void unpin(const struct range *range)
{
    int error = quire_unpin(range->at, range->size);
    if (!expect("quire_unpin", error, range->error))
        return;
    world.pinned -= range->count - count_not_pinned(range);
    perform_mark(range, 0, PAGE_PINNED);
}

/* ---- leaving ------------------------------------------------------------------------------------ */

static void flush(const struct range *range)
{
    const struct disk *disk = range->region->disk;
    bool was_failing = disk != NULL && disk_fails(disk);
    int error = quire_flush(range->at, range->size);
    if (range->error != VM_OK)
        expect("quire_flush of no range", error, range->error);
    else if (expect_unless_failing("quire_flush", error, was_failing && range->region->writes) &&
             range->region->writes)
        world_compare_disk(range->region, range->first, range->count);
}

/* What is pinned can't go. */
static bool expect_unpinned(const char *what, const struct range *range, int error)
{
    if (range->error != VM_OK)
        return expect(what, error, range->error);
    return expect(what, error, perform_any(range, PAGE_PINNED) ? ERR_INVALID_ARGS : VM_OK);
}

static void evict(const struct range *range)
{
    bool was_failing = world_is_failing();
    int error = quire_evict(range->at, range->size);
    if (expect_unpinned("quire_evict", range, error) && range->region->writes && !was_failing &&
        world.way.daemons + world.way.touchers == 0)
        world_compare_disk(range->region, range->first, range->count);
}

static void advise_free(const struct range *range)
{
    int error = quire_advise(range->at, range->size, VM_ADVICE_FREE);
    if (range->error == VM_OK && range->region->from != NULL)
        expect("quire_advise FREE of a store's", error, ERR_INVALID_ARGS);
    else
        (void)expect_unpinned("quire_advise FREE", range, error);
    if (range->error == VM_OK && range->region->from == NULL)
        perform_mark(range, PAGE_MAY_BE_ZERO, 0);
}

static void advise(const struct call *call, const struct range *range)
{
    static const int unknown[] = {-1, 7, 8, INT32_MIN, INT32_MAX};
    uint32_t kind = call->argument[3] % 9;
    if (kind == VM_ADVICE_FREE) {
        advise_free(range);
    } else if (kind == VM_ADVICE_PAGEOUT) {
        evict(range);
    } else if (kind == VM_ADVICE_COLD) {
        (void)expect_unpinned("quire_advise COLD", range,
                              quire_advise(range->at, range->size, VM_ADVICE_COLD));
    } else if (kind < VM_ADVICE_COLD) {
        expect("quire_advise", quire_advise(range->at, range->size, (int)kind), range->error);
        range->region->cut |= kind <= VM_ADVICE_SEQUENTIAL;
    } else {
        int error = quire_advise(range->at, range->size, unknown[call->argument[3] / 9 % 5]);
        expect("quire_advise with no advice", error,
               range->error != VM_OK ? range->error : ERR_INVALID_ARGS);
    }
}

/* ---- what is known of it ------------------------------------------------------------------------ */

static void changed(const struct range *range)
{
    unsigned char answer[MOST_PAGES + 1];
    int error = quire_changed(range->at, range->size, answer);
    if (!expect("quire_changed", error, range->error))
        return;
    for (size_t i = 0; i < range->count; i++) {
        uint8_t page = range->region->page[range->first + i];
        if (answer[i] > 1 || (answer[i] == 0 && (page & PAGE_WRITTEN)) ||
            (answer[i] == 1 && !(page & (PAGE_WRITTEN | PAGE_TOUCHED))))
            violation("quire_changed says %u of page %zu, which was %swritten", answer[i],
                      range->first + i, page & PAGE_WRITTEN ? "" : "not ");
    }
    perform_mark(range, 0, PAGE_WRITTEN | PAGE_TOUCHED);
    if (quire_changed(range->at, range->size, NULL) != ERR_INVALID_ARGS)
        violation("quire_changed to nowhere is no error");
}

/* The size is none of its arguments. */
static void set_limit(const struct call *call, const struct range *range)
{
    size_t limit = call->argument[3] % 3 == 0 ? 0 : (call->argument[3] / 3 % 300) * PAGE;
    int error = quire_set_limit(range->at, limit);
    bool has_size =
        call->twist == TWIST_EMPTY || call->twist == TWIST_LONG || call->twist == TWIST_HUGE;
    int expected = range->error == VM_OK || has_size ? VM_OK : range->error;
    if (expected == VM_OK && limit != 0 && limit < 64 * PAGE)
        expected = ERR_INVALID_ARGS;
    if (expect("quire_set_limit", error, expected))
        range->region->limited |= limit != 0;
}

void perform_on_range(const struct call *call)
{
    struct range range = perform_range(call);
    if (range.region == NULL)
        return;
    switch (call->kind) {
    case CALL_PROTECT:
        protect(call, &range);
        break;
    case CALL_POPULATE:
        populate(call, &range);
        break;
    case CALL_PREFETCH:
        prefetch(&range);
        break;
    case CALL_PIN:
        pin(&range);
        break;
    case CALL_UNPIN:
        unpin(&range);
        break;
    case CALL_FLUSH:
        flush(&range);
        break;
    case CALL_EVICT:
        evict(&range);
        break;
    case CALL_ADVISE:
        advise(call, &range);
        break;
    case CALL_CHANGED:
        changed(&range);
        break;
    default:
        set_limit(call, &range);
    }
}
