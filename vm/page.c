/* SPDX-License-Identifier: MIT */
/* The states of a frame, and who changes them; every change is made under the page lock.
 *
 *   from                   to                   by
 *   FREE, CLEAR            ACTIVE               vm_page_allocate, for a cache
 *   ACTIVE                 ACTIVE, INACTIVE     page_enqueue: the policy says where it begins
 *   ACTIVE, INACTIVE       ACTIVE, INACTIVE     the policy's hands
 *   ACTIVE                 INACTIVE             page_deactivate
 *   ACTIVE, INACTIVE       MODIFIED             page_dequeue: it is being written to its file, to go
 *   ACTIVE, INACTIVE       MODIFIED_TEMPORARY   page_dequeue: it is being written to swap, to go
 *   MODIFIED(_TEMPORARY)   ACTIVE, INACTIVE     page_requeue: it stays, where it was
 *   FREE, CLEAR            WIRED                vm_page_allocate: tables, metadata, the host's, runs
 *   any with a cache       WIRED                vm_page_wire: the first wired mapping
 *   WIRED                  ACTIVE               vm_page_unwire: the last one
 *   UNUSED                 WIRED                vm_init adopts what boot code has mapped
 *   any but FREE, CLEAR    FREE, CLEAR          vm_page_free
 *
 * Whether a page has changed is its flag `modified`.
 *
 * Busy is no state but a flag beside it, so that its end forgets nothing (NewOS forgot WIRED and
 * MODIFIED). A free page has no cache, no mapping, no wiring, and isn't busy. */
#include "page.h"

#include "frame.h"
#include "print.h"
#include "reclaim.h"
#include "swap.h"
#include "system.h"

#define POOL (&vm_system.pages)

void page_queue_remove(struct vm_page_pool *pool, struct vm_page *page)
{
    page->prev->next = page->next;
    page->next->prev = page->prev;
    pool->count[page->state]--;
}

void page_queue_append(struct vm_page_pool *pool, struct vm_page *page, int state)
{
    struct vm_page *head = &pool->queue[state];
    __atomic_store_n(&page->state, (uint8_t)state, __ATOMIC_RELAXED);
    page->next = head;
    page->prev = head->prev;
    head->prev->next = page;
    head->prev = page;
    pool->count[state]++;
}

static void queue_remove(struct vm_page *page)
{
    page_queue_remove(POOL, page);
}

static bool is_aging(enum vm_page_state state)
{
    return state == VM_PAGE_ACTIVE || state == VM_PAGE_INACTIVE;
}

static void queue_insert(struct vm_page *page, enum vm_page_state state)
{
    struct vm_page *head = &POOL->queue[state];
    __atomic_store_n(&page->state, (uint8_t)state, __ATOMIC_RELAXED);
    page->next = head->next;
    page->prev = head;
    head->next->prev = page;
    head->next = page;
    POOL->count[state]++;
}

/* ---- set-up ------------------------------------------------------------------------------------- */

static bool is_allocated(const kernel_args *ka, addr_t physical)
{
    for (unsigned i = 0; i < ka->physical_allocated_ranges; i++) {
        const struct vm_range *range = &ka->physical_allocated_range[i];
        if (physical >= range->base && physical - range->base < range->size)
            return true;
    }
    return false;
}

/* The first run of `count` frames that nobody has, in one range. 0: there is none. */
static addr_t find_boot_run(const kernel_args *ka, size_t count)
{
    for (unsigned i = 0; i < ka->physical_memory_ranges; i++) {
        const struct vm_range *range = &ka->physical_memory_range[i];
        size_t run = 0;
        for (addr_t at = 0; at < range->size; at += VM_PAGE_SIZE) {
            run = is_allocated(ka, range->base + at) || range->base + at == 0 ? 0 : run + 1;
            if (run == count)
                return range->base + at - (count - 1) * VM_PAGE_SIZE;
        }
    }
    return 0;
}

static int check_ranges(const kernel_args *ka)
{
    addr_t end = 0;
    if (ka->physical_memory_ranges == 0 || ka->physical_memory_ranges > VM_MAX_PHYSICAL_RANGES ||
        ka->physical_allocated_ranges > VM_MAX_PHYSICAL_RANGES)
        return ERR_INVALID_ARGS;
    for (unsigned i = 0; i < ka->physical_memory_ranges; i++) {
        const struct vm_range *range = &ka->physical_memory_range[i];
        if (((range->base | range->size) & VM_PAGE_MASK) || range->size == 0 || range->base < end ||
            range->base + (range->size - 1) < range->base ||
            (range->base + (range->size - 1)) >> VM_PAGE_SHIFT > UINT32_MAX)
            return ERR_INVALID_ARGS;
        end = range->base + range->size;
    }
    return VM_OK;
}

static void add_range(const kernel_args *ka, const struct vm_range *memory, struct vm_page *pages,
                      addr_t array_base, addr_t array_size)
{
    struct vm_page_range *range = &POOL->range[POOL->range_count++];
    range->first = memory->base >> VM_PAGE_SHIFT;
    range->count = memory->size >> VM_PAGE_SHIFT;
    range->pages = pages;
    for (uint64_t i = range->count; i-- > 0;) {
        addr_t physical = memory->base + (i << VM_PAGE_SHIFT);
        pages[i] = (struct vm_page){.number = (uint32_t)(range->first + i)};
        bool taken = is_allocated(ka, physical);
        bool array = physical >= array_base && physical - array_base < array_size;
        queue_insert(&pages[i], taken ? VM_PAGE_UNUSED : array ? VM_PAGE_WIRED : VM_PAGE_FREE);
    }
}

/* What of all frames is kept free, by whom: see struct vm_reserves. A few per cent, as elsewhere: Linux
 * keeps about 1 % on machines this small (min_free_kbytes). */
#define USER_RESERVE 128
#define LOW_WATER 64
#define HIGH_WATER 32

/* The largest power of two that is no more than the frames there are: 8 bytes of 4096, at most. */
static size_t ghosts_for(size_t total)
{
    size_t ghosts = 4;
    while (ghosts * 2 <= total)
        ghosts *= 2;
    return ghosts;
}

static void init_ghosts(struct vm_ghost *memory, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memory[i] = (struct vm_ghost){0};
    vm_ghosts_init(&POOL->ghosts, memory, count);
}

_Static_assert(sizeof(struct vm_page) == VM_FRAME_OVERHEAD, "vm.h says so");

int vm_page_init(const kernel_args *ka)
{
    int error = check_ranges(ka);
    size_t total = 0;
    if (error != VM_OK)
        return error;
    for (unsigned i = 0; i < ka->physical_memory_ranges; i++)
        total += ka->physical_memory_range[i].size >> VM_PAGE_SHIFT;
    size_t ghosts = ghosts_for(total);
    size_t bytes =
        (total * sizeof(struct vm_page) + ghosts * sizeof(struct vm_ghost) + VM_PAGE_MASK) &
        ~VM_PAGE_MASK;
    addr_t array = find_boot_run(ka, bytes >> VM_PAGE_SHIFT);
    if (array == 0)
        return ERR_NO_MEMORY;
    for (unsigned state = 0; state < VM_PAGE_STATES; state++)
        POOL->queue[state].next = POOL->queue[state].prev = &POOL->queue[state];
    struct vm_page *pages = host_frame_ptr(array);
    for (unsigned i = 0; i < ka->physical_memory_ranges; i++) {
        add_range(ka, &ka->physical_memory_range[i], pages, array, bytes);
        pages += ka->physical_memory_range[i].size >> VM_PAGE_SHIFT;
    }
    POOL->total = total;
    POOL->array_frames = bytes >> VM_PAGE_SHIFT;
    POOL->policy = ka->policy ? ka->policy : &vm_policy_car;
    POOL->reserve = (struct vm_reserves){
        .user = total / USER_RESERVE, .low = total / LOW_WATER, .high = total / HIGH_WATER};
    init_ghosts((struct vm_ghost *)(void *)pages, ghosts);
    return VM_OK;
}

#if defined(VM_TEST)
static bool frame_is_clear(const struct vm_page *page)
{
    const uint64_t *words = host_frame_ptr(vm_page_physical(page));
    for (size_t i = 0; i < VM_WORDS_PER_PAGE; i++)
        if (words[i] != 0)
            return false;
    return true;
}
#endif

/* ---- allocation --------------------------------------------------------------------------------- */

size_t page_available(void)
{
    const size_t *count = POOL->count;
    size_t free = __atomic_load_n(&count[VM_PAGE_FREE], __ATOMIC_RELAXED) +
                  __atomic_load_n(&count[VM_PAGE_CLEAR], __ATOMIC_RELAXED);
    return free > POOL->reserve.user ? free - POOL->reserve.user : 0;
}

bool page_may_wire(size_t more)
{
    size_t limit = POOL->total - POOL->total / 4;
    size_t wired = __atomic_load_n(&POOL->count[VM_PAGE_WIRED], __ATOMIC_RELAXED);
    return wired < limit && more <= limit - wired;
}

/* => page lock. Whether `count` frames may be had for `state`. */
static bool may_take(enum vm_page_state state, size_t count)
{
    size_t keep = state == VM_PAGE_ACTIVE
                      ? POOL->reserve.user
                      : __atomic_load_n(&POOL->reserve.system, __ATOMIC_RELAXED);
    if (POOL->count[VM_PAGE_FREE] + POOL->count[VM_PAGE_CLEAR] >= keep + count)
        return true;
    vm_atomic_count(&POOL->shortage, 1);
    return false;
}

/* => page lock */
static struct vm_page *take_free(bool clear, bool *was_clear)
{
    enum vm_page_state first = clear ? VM_PAGE_CLEAR : VM_PAGE_FREE;
    enum vm_page_state second = clear ? VM_PAGE_FREE : VM_PAGE_CLEAR;
    enum vm_page_state state = POOL->count[first] > 0 ? first : second;
    if (POOL->count[state] == 0)
        return NULL;
    struct vm_page *page = POOL->queue[state].next;
    *was_clear = state == VM_PAGE_CLEAR;
    queue_remove(page);
    return page;
}

static void note_taken(const struct vm_page *first, size_t count, bool for_cache)
{
    if (vm_system.frames)
        vm_system.frames->taken(vm_page_physical(first), count, for_cache);
}

struct vm_page *page_take(enum vm_page_state state, bool clear)
{
    bool was_clear = false;
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    struct vm_page *page = may_take(state, 1) ? take_free(clear, &was_clear) : NULL;
    if (page)
        queue_insert(page, state);
    bool low = POOL->count[VM_PAGE_FREE] + POOL->count[VM_PAGE_CLEAR] < POOL->reserve.low;
    vm_mutex_unlock(&POOL->lock);
    if (__builtin_expect(low, 0))
        reclaim_wake();
    if (page)
        note_taken(page, 1, state == VM_PAGE_ACTIVE);
    VM_DEBUG_ASSERT(!page || !was_clear || frame_is_clear(page));
    if (page && clear && !was_clear)
        vm_frame_clear(host_frame_ptr(vm_page_physical(page)));
    return page;
}

static bool is_free(const struct vm_page *page)
{
    return page->state == VM_PAGE_FREE || page->state == VM_PAGE_CLEAR;
}

/* => page lock. The first of `count` free frames in a row, or NULL. */
static struct vm_page *find_run(size_t count)
{
    for (unsigned i = 0; i < POOL->range_count; i++) {
        const struct vm_page_range *range = &POOL->range[i];
        size_t run = 0;
        for (uint64_t at = 0; at < range->count; at++) {
            run = is_free(&range->pages[at]) ? run + 1 : 0;
            if (run == count)
                return &range->pages[at + 1 - count];
        }
    }
    return NULL;
}

struct vm_page *page_take_run(size_t count, bool clear)
{
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    struct vm_page *run = count > 0 && may_take(VM_PAGE_WIRED, count) ? find_run(count) : NULL;
    for (size_t i = 0; run && i < count; i++) {
        queue_remove(&run[i]);
        queue_insert(&run[i], VM_PAGE_WIRED);
    }
    vm_mutex_unlock(&POOL->lock);
    if (run)
        note_taken(run, count, false);
    for (size_t i = 0; run && clear && i < count; i++)
        vm_frame_clear(host_frame_ptr(vm_page_physical(&run[i])));
    return run;
}

static void poison(struct vm_page *page)
{
#if defined(VM_TEST)
    uint64_t *words = host_frame_ptr(vm_page_physical(page));
    for (size_t i = 0; i < VM_WORDS_PER_PAGE; i++)
        words[i] = 0xdeadf4eedeadf4eeu;
#else
    (void)page;
#endif
}

void vm_page_free(struct vm_page *page, bool is_clear)
{
    VM_ASSERT(page->map_count == 0 && page->wire_count == 0 && !is_free(page));
    VM_DEBUG_ASSERT(page->cache == NULL && page->busy == 0 && !page->writing);
    VM_DEBUG_ASSERT(!is_clear || frame_is_clear(page));
    page_clear_modified(page);
    swap_forget(page);
    page->referenced = page->discardable = page->fate = 0;
    page->no_write = false;
    if (!is_clear)
        poison(page);
    if (vm_system.frames) {
        vm_system.frames->freed(vm_page_physical(page));
        is_clear = false; /* what is in it now is the host's business */
    }
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    queue_remove(page);
    queue_insert(page, is_clear ? VM_PAGE_CLEAR : VM_PAGE_FREE);
    vm_mutex_unlock(&POOL->lock);
    if (vm_atomic_load(&POOL->waiting, __ATOMIC_RELAXED) > 0) {
        vm_atomic_fetch_add(&POOL->freed, 1, __ATOMIC_RELEASE);
        host_wake(&POOL->freed, UINT32_MAX);
    }
}

struct vm_page *page_take_reserved(void)
{
    bool was_clear;
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    struct vm_page *page = take_free(false, &was_clear);
    if (page)
        queue_insert(page, VM_PAGE_WIRED);
    vm_mutex_unlock(&POOL->lock);
    if (page)
        note_taken(page, 1, false);
    return page;
}

/* => page lock */
static void set_state(struct vm_page *page, enum vm_page_state state)
{
    VM_DEBUG_ASSERT(!is_free(page));
    if (page->state == state)
        return;
    queue_remove(page);
    if (is_aging(state))
        page_queue_append(POOL, page, (int)state);
    else
        queue_insert(page, state);
}

void vm_page_set_state(struct vm_page *page, enum vm_page_state state)
{
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    set_state(page, state);
    vm_mutex_unlock(&POOL->lock);
}

struct vm_page *vm_page_at(addr_t physical)
{
    uint64_t number = physical >> VM_PAGE_SHIFT;
    for (unsigned i = 0; i < POOL->range_count; i++) {
        uint64_t index = number - POOL->range[i].first;
        if (index < POOL->range[i].count)
            return &POOL->range[i].pages[index];
    }
    return NULL;
}

const char *page_state_to_text(int state)
{
    static const char *const texts[VM_PAGE_STATES] = {
        [VM_PAGE_FREE] = "FREE",         [VM_PAGE_CLEAR] = "CLEAR",
        [VM_PAGE_ACTIVE] = "ACTIVE",     [VM_PAGE_INACTIVE] = "INACTIVE",
        [VM_PAGE_MODIFIED] = "MODIFIED", [VM_PAGE_MODIFIED_TEMPORARY] = "MODIFIED_TEMPORARY",
        [VM_PAGE_WIRED] = "WIRED",       [VM_PAGE_UNUSED] = "UNUSED",
    };
    return state >= 0 && state < VM_PAGE_STATES ? texts[state] : "unknown";
}

/* ---- aging and going ---------------------------------------------------------------------------- */

void page_expect(uint64_t key)
{
    vm_ghosts_prefetch(&POOL->ghosts, key);
}

bool page_enqueue(struct vm_page *page, uint64_t key)
{
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    queue_remove(page);
    page->born = POOL->generation;
    __atomic_store_n(&page->referenced, 0, __ATOMIC_RELAXED);
    page->was_active = false;
    bool known = POOL->policy->insert(POOL, page, key);
    vm_mutex_unlock(&POOL->lock);
    return known;
}

void page_dequeue(struct vm_page *page, enum vm_page_state state)
{
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    page->was_active = page->state == VM_PAGE_ACTIVE;
    set_state(page, state);
    vm_mutex_unlock(&POOL->lock);
}

void page_requeue(struct vm_page *page)
{
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    set_state(page, page->was_active ? VM_PAGE_ACTIVE : VM_PAGE_INACTIVE);
    page->was_active = false;
    vm_mutex_unlock(&POOL->lock);
}

void page_remember(struct vm_page *page, uint64_t key)
{
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    POOL->policy->ghost(POOL, page, key);
    vm_mutex_unlock(&POOL->lock);
}

void page_deactivate(struct vm_page *page)
{
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    if (is_aging((enum vm_page_state)page->state)) {
        queue_remove(page);
        queue_insert(page, VM_PAGE_INACTIVE);
        __atomic_store_n(&page->referenced, 0, __ATOMIC_RELAXED);
    }
    vm_mutex_unlock(&POOL->lock);
}

bool page_is_young(const struct vm_page *page)
{
    uint8_t age = (uint8_t)(__atomic_load_n(&POOL->generation, __ATOMIC_RELAXED) - page->born);
    return age <= 1;
}

void page_note_access(struct vm_page *page)
{
    if (!page_is_young(page) && !__atomic_load_n(&page->referenced, __ATOMIC_RELAXED))
        POOL->policy->referenced(POOL, page);
}

void page_set_modified(struct vm_page *page)
{
    uint8_t clean = 0, kind = page->is_file && !page->no_write ? 1 : 2;
    if (vm_atomic_load(&page->modified, __ATOMIC_RELAXED) == 0 &&
        vm_atomic_compare_exchange(&page->modified, &clean, kind, false, __ATOMIC_RELAXED,
                                   __ATOMIC_RELAXED) &&
        kind == 1)
        vm_atomic_count(&vm_system.modified_file_pages, 1);
}

void page_clear_modified(struct vm_page *page)
{
    if (page->modified && vm_atomic_exchange(&page->modified, 0, __ATOMIC_RELAXED) == 1)
        vm_atomic_count(&vm_system.modified_file_pages, (size_t)-1);
}

void page_lock_barrier(void)
{
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    vm_mutex_unlock(&POOL->lock);
}

/* ---- busy --------------------------------------------------------------------------------------- */

void vm_page_set_busy(struct vm_page *page)
{
    VM_ASSERT(page->busy == 0);
    vm_atomic_store(&page->busy, 1, __ATOMIC_RELAXED);
}

/* busy.pml: clear_busy */
void vm_page_clear_busy(struct vm_page *page)
{
    uint32_t was = vm_atomic_load(&page->busy, __ATOMIC_RELAXED);
    VM_ASSERT(was != 0);
    vm_atomic_store(&page->busy, 0, __ATOMIC_RELEASE);
    if (was == 2)
        host_wake(&page->busy, UINT32_MAX);
}

/* busy.pml: will_wait */
void vm_page_will_wait(struct vm_page *page)
{
    vm_atomic_store(&page->busy, 2, __ATOMIC_RELAXED);
}

/* busy.pml: host_wait */
int vm_page_wait(struct vm_page *page, bool killable)
{
    vm_assert_no_locks();
    int error = host_wait(&page->busy, 2, VM_NO_DEADLINE, killable);
    return error == ERR_INTERRUPTED ? error : VM_OK;
}

/* ---- users --------------------------------------------------------------------------------------- */

void vm_page_use(struct vm_page *page)
{
    uint32_t old = vm_atomic_fetch_add(&page->map_count, 1, __ATOMIC_RELAXED);
    VM_ASSERT((old & ~VM_PAGE_ORPHAN) < VM_PAGE_ORPHAN - 1);
}

/* shootdown.pml: unuse */
bool vm_page_unuse(struct vm_page *page)
{
    return vm_atomic_sub_fetch(&page->map_count, 1, __ATOMIC_ACQ_REL) == VM_PAGE_ORPHAN;
}

/* shootdown.pml: orphan */
void vm_page_orphan(struct vm_page *page)
{
    page_set_cache(page, NULL);
    swap_forget(page);
    if (page->is_file)
        vm_atomic_count(&vm_system.file_pages, (size_t)-1);
    if (vm_atomic_fetch_or(&page->map_count, VM_PAGE_ORPHAN, __ATOMIC_ACQ_REL) == 0) {
        page->map_count = 0;
        vm_page_free(page, false);
    }
}

/* ---- wiring ------------------------------------------------------------------------------------- */

/* The count has left or reached 0. Others may change it meanwhile: who comes last sees the last one. */
static void settle_wiring(struct vm_page *page)
{
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    bool wired = vm_atomic_load(&page->wire_count, __ATOMIC_RELAXED) > 0;
    enum vm_page_state state = wired ? VM_PAGE_WIRED : VM_PAGE_ACTIVE;
    set_state(page, state);
    vm_mutex_unlock(&POOL->lock);
}

void vm_page_wire(struct vm_page *page)
{
    if (vm_atomic_fetch_add(&page->wire_count, 1, __ATOMIC_RELAXED) == 0)
        settle_wiring(page);
}

void vm_page_unwire(struct vm_page *page)
{
    VM_ASSERT(page->wire_count > 0);
    if (vm_atomic_sub_fetch(&page->wire_count, 1, __ATOMIC_RELAXED) == 0)
        settle_wiring(page);
}

#if defined(VM_TEST)
bool vm_test_frame_is_free(uintptr_t physical)
{
    const struct vm_page *page = vm_page_at(physical);
    return page && is_free(page);
}
#endif

/* ---- the checker's part ------------------------------------------------------------------------- */

static unsigned check_page(const struct vm_page *page)
{
    bool idle = !page->cache && page->map_count == 0 && page->wire_count == 0 && page->busy == 0;
    bool bad = (is_free(page) && !idle) || (page->wire_count > 0 && page->state != VM_PAGE_WIRED) ||
               page->next->prev != page || page->prev->next != page;
    if (bad)
        vm_print("check: page %x: state %s, cache %p, %u mappings, wired %u, busy %u\n",
                 page->number, page_state_to_text(page->state), (void *)page->cache,
                 page->map_count, page->wire_count, page->busy);
    return bad;
}

unsigned vm_page_check(void)
{
    unsigned wrong = 0;
    size_t count[VM_PAGE_STATES] = {0};
    for (unsigned i = 0; i < POOL->range_count; i++)
        for (uint64_t at = 0; at < POOL->range[i].count; at++) {
            wrong += check_page(&POOL->range[i].pages[at]);
            count[POOL->range[i].pages[at].state]++;
        }
    for (int state = 0; state < VM_PAGE_STATES; state++)
        if (count[state] != POOL->count[state]) {
            vm_print("check: %zu pages are %s, %zu are counted\n", count[state],
                     page_state_to_text(state), POOL->count[state]);
            wrong++;
        }
    return wrong;
}
