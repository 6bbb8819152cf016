/* SPDX-License-Identifier: MIT */
/* The model runs the trace and says what is expected; what Linux need not agree about is left out. */
#include "linux_plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "linux_omit.h"

/* So many pages may be promised; the simulator's machine can promise more. */
#define PROMISES 400

/* ---- shared memory ------------------------------------------------------------------------------ */

#define CHUNK ((size_t)4 << 20)

struct linux_chunk {
    struct linux_chunk *next;
    size_t used, size;
};

static void *map_shared(size_t size)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

/* => size is at most CHUNK / 2 */
static void *take(struct linux_plan *plan, size_t size)
{
    struct linux_chunk *chunk = plan->chunks;
    size = (size + 15) & ~(size_t)15;
    if (chunk == NULL || chunk->used + size > chunk->size) {
        chunk = map_shared(CHUNK);
        *chunk = (struct linux_chunk){plan->chunks, sizeof(*chunk), CHUNK};
        plan->chunks = chunk;
    }
    void *memory = (uint8_t *)chunk + chunk->used;
    chunk->used += size;
    return memory;
}

static uint8_t *keep(struct linux_plan *plan, const uint8_t *bytes, size_t length)
{
    return length == 0 ? NULL : memcpy(take(plan, length), bytes, length);
}

/* ---- steps -------------------------------------------------------------------------------------- */

static struct linux_step *add_step(struct linux_plan *plan, enum linux_step_kind kind,
                                   unsigned space, size_t at)
{
    struct linux_step *step = &plan->step[plan->count++];
    *step = (struct linux_step){.kind = kind, .space = space, .at = at};
    return step;
}

static bool is_zero(const uint8_t *bytes)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, VM_PAGE_SIZE - 1) == 0;
}

/* Most pages are as they were at the last comparison. */
static uint8_t *keep_page(struct linux_plan *plan, uint8_t **last, const uint8_t *shown)
{
    if (*last == NULL || memcmp(*last, shown, VM_PAGE_SIZE) != 0)
        *last = keep(plan, shown, VM_PAGE_SIZE);
    return *last;
}

static struct linux_page expect_page(struct linux_plan *plan, unsigned space, unsigned page)
{
    const struct place *place = &model.place[space][page];
    if (place->object == NULL)
        return (struct linux_page){.result = ERR_VM_PF_BAD_ADDRESS};
    if (place->lock & LOCK_NO_READ)
        return (struct linux_page){.result = ERR_VM_PF_BAD_PERM};
    const uint8_t *shown = model_shows(place);
    if (shown == NULL)
        return (struct linux_page){.result = ERR_VM_PF_PAST_END};
    if (is_zero(shown))
        return (struct linux_page){VM_OK, NULL};
    return (struct linux_page){VM_OK, keep_page(plan, &plan->last_page[space][page], shown)};
}

static void expect_window(struct linux_plan *plan, unsigned space, size_t at)
{
    struct linux_step *step = add_step(plan, STEP_WINDOW, space, at);
    step->page = take(plan, WINDOW * sizeof(step->page[0]));
    for (unsigned page = 0; page < WINDOW; page++)
        step->page[page] = expect_page(plan, space, page);
}

static void expect_file(struct linux_plan *plan, unsigned file, unsigned space, size_t at)
{
    struct linux_step *step = add_step(plan, STEP_FILE, space, at);
    const uint8_t *view = &model.file[file].view[0][0];
    uint8_t **last = &plan->last_file[file];
    step->operation.argument[0] = (int32_t)file;
    step->length = model.file[file].size;
    if (*last == NULL || memcmp(*last, view, step->length) != 0)
        *last = keep(plan, view, FILE_PAGES * VM_PAGE_SIZE);
    step->bytes = *last;
}

static void expect_everything(struct linux_plan *plan, unsigned first_space, size_t at)
{
    for (unsigned file = 0; file < FILES; file++)
        expect_file(plan, file, first_space, at);
    for (unsigned i = 0; i < SPACES; i++) {
        unsigned space = (first_space + i) % SPACES;
        if (plan->used[space])
            expect_window(plan, space, at);
    }
}

/* What the operation means in the state before it, for a caller that has only addresses. */
static void fill_state(struct linux_step *step)
{
    const struct operation *o = &step->operation;
    unsigned first, count;
    if (o->kind == OPERATION_RESIZE || o->kind == OPERATION_DELETE_REGION) {
        count = model_region(o->space, (unsigned)o->argument[0], &first);
        step->base = SPACE_BASE + first * VM_PAGE_SIZE;
        step->size = (count > 0 ? count : 1) * VM_PAGE_SIZE;
    } else if (o->kind == OPERATION_FILE_WRITE) {
        size_t size = model.file[o->argument[0]].size, position = (size_t)o->argument[1];
        size_t length = (size_t)o->argument[2], room = position < size ? size - position : 0;
        step->size = length < room ? length : room;
    }
}

/* False: the trace can't go on. */
static bool plan_operation(struct linux_plan *plan, const struct operation *o, size_t at)
{
    static struct answer answer;
    struct linux_step *step = add_step(plan, STEP_OPERATION, o->space, at);
    step->operation = *o;
    fill_state(step);
    model_do(o, &answer);
    if (model.lost || answer.result == ERR_VM_WOULD_OVERCOMMIT) {
        plan->count--;
        return false;
    }
    step->result = answer.result;
    step->length = answer.length;
    step->bytes = keep(plan, answer.bytes, answer.length);
    plan->kept_at[plan->kept.count] = at;
    trace_add(&plan->kept, o);
    plan->used[o->space] = true;
    if (o->kind == OPERATION_FORK)
        plan->used[operation_fork_target(o)] = true;
    return true;
}

static void start_plan(struct linux_plan *plan, size_t operations, unsigned compare_every)
{
    size_t comparisons = compare_every > 0 ? operations / compare_every + 1 : 1;
    *plan = (struct linux_plan){.room = operations + comparisons * (SPACES + FILES)};
    plan->step = map_shared(plan->room * sizeof(plan->step[0]));
    plan->kept_at = calloc(operations + 1, sizeof(plan->kept_at[0]));
    if (plan->kept_at == NULL)
        abort();
    model_start(PROMISES * (int64_t)VM_PAGE_SIZE);
}

void linux_plan_make(struct linux_plan *plan, const struct trace *trace, unsigned compare_every)
{
    unsigned space = 0;
    start_plan(plan, trace->count, compare_every);
    for (size_t i = 0; i < trace->count && !plan->cut; i++) {
        const struct operation *o = &trace->operation[i];
        if (linux_omits(o))
            continue;
        space = o->space;
        plan->cut = !plan_operation(plan, o, i);
        if (!plan->cut && compare_every > 0 && plan->kept.count % compare_every == 0)
            expect_everything(plan, space, i);
    }
    if (!plan->cut)
        expect_everything(plan, space, trace->count);
}

void linux_plan_free(struct linux_plan *plan)
{
    while (plan->chunks != NULL) {
        struct linux_chunk *next = plan->chunks->next;
        munmap(plan->chunks, CHUNK);
        plan->chunks = next;
    }
    munmap(plan->step, plan->room * sizeof(plan->step[0]));
    trace_free(&plan->kept);
    free(plan->kept_at);
}
