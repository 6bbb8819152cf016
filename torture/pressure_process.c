/* SPDX-License-Identifier: MIT */
#include "pressure_process.h"

#include <string.h>

#define PAGE VM_PAGE_SIZE
#define PAGES(n) ((addr_t)(n)*VM_PAGE_SIZE)
#define WORDS (PAGE / sizeof(uint64_t))
#define OPERATIONS 60
#define RUN 12 /* pages of one operation, at most */

#define OWN ((addr_t)0x10000000)
#define SHARED ((addr_t)0x20000000)
#define LIBRARY ((addr_t)0x30000000)

struct pressure pressure;

/* ---- what pages have ---------------------------------------------------------------------------- */

enum kind { KIND_OWN = 1, KIND_SHARED, KIND_LIBRARY };

/* Each word of a page says whose it is, which page and version, and where in the page it is. */
static void make_page(uint64_t *word, enum kind kind, unsigned process, unsigned page,
                      uint32_t version)
{
    uint64_t base = (uint64_t)kind << 56 | (uint64_t)process << 48 | (uint64_t)page << 32 | version;
    for (size_t i = 0; i < WORDS; i++)
        word[i] = version == 0 ? 0 : base ^ (i * 0x9e3779b97f4a7c15u);
    if (version == 0 && kind == KIND_LIBRARY)
        memset(word, (int)(page + 1), PAGE);
}

static bool is_page(const uint64_t *seen, enum kind kind, unsigned process, unsigned page,
                    uint32_t version)
{
    uint64_t word[WORDS];
    make_page(word, kind, process, page, version);
    return memcmp(seen, word, PAGE) == 0;
}

static void must(int64_t result, const struct process *p, const char *what)
{
    if (result < 0)
        sim_fail("process %u: %s: %s", p->number, what, vm_error_text((int)result));
}

/* Whether there was memory for its structures: if not, nothing has happened. */
static bool was_done(int64_t result, const struct process *p, const char *what)
{
    if (result == ERR_NO_MEMORY) {
        pressure.outcome->refused++;
        return false;
    }
    must(result, p, what);
    return true;
}

static void fail_page(const struct process *p, enum kind kind, unsigned page, uint32_t version,
                      const uint64_t *seen)
{
    uint64_t word[WORDS];
    size_t at = 0;
    make_page(word, kind, p->number, page, version);
    while (seen[at] == word[at])
        at++;
    sim_fail("process %u, kind %d, page %u, version %u: word %zu is %#lx, not %#lx", p->number,
             (int)kind, page, version, at, (unsigned long)seen[at], (unsigned long)word[at]);
}

static void read_page(const struct process *p, addr_t address, uint64_t *seen)
{
    must(sim_read(address, seen, PAGE), p, "a read");
    pressure.outcome->verified++;
}

static void check_page(const struct process *p, addr_t address, enum kind kind, unsigned page,
                       uint32_t version)
{
    uint64_t seen[WORDS];
    read_page(p, address, seen);
    if (!is_page(seen, kind, p->number, page, version))
        fail_page(p, kind, page, version, seen);
}

static void write_page(const struct process *p, addr_t address, enum kind kind, unsigned page,
                       uint32_t version)
{
    uint64_t word[WORDS];
    make_page(word, kind, p->number, page, version);
    must(sim_write(address, word, PAGE), p, "a write");
}

/* ---- its own memory ----------------------------------------------------------------------------- */

static void check_own(struct process *p, unsigned page)
{
    uint64_t seen[WORDS];
    read_page(p, OWN + PAGES(page), seen);
    if (p->may_be_lost[page] && is_page(seen, KIND_OWN, p->number, page, 0))
        p->own[page] = 0;
    if (!is_page(seen, KIND_OWN, p->number, page, p->own[page]))
        fail_page(p, KIND_OWN, page, p->own[page], seen);
}

static void write_own(struct process *p, unsigned page)
{
    write_page(p, OWN + PAGES(page), KIND_OWN, page, ++p->own[page]);
    p->may_be_lost[page] = false;
}

struct run {
    unsigned first, count;
};

static struct run pick(struct process *p, unsigned pages)
{
    struct run run = {.first = generate_pick(&p->random, pages)};
    run.count = 1 + generate_pick(&p->random, RUN);
    if (run.count > pages - run.first)
        run.count = pages - run.first;
    return run;
}

static void use_own(struct process *p)
{
    struct run run = pick(p, OWN_PAGES);
    for (unsigned i = run.first; i < run.first + run.count; i++) {
        check_own(p, i);
        if (generate_pick(&p->random, 3) != 0)
            write_own(p, i);
    }
}

static void become_zero(struct process *p, struct run run)
{
    memset(&p->own[run.first], 0, run.count * sizeof(p->own[0]));
    memset(&p->may_be_lost[run.first], 0, run.count);
}

static void discard(struct process *p)
{
    struct run run = pick(p, OWN_PAGES);
    if (was_done(vm_discard_range(p->aid, OWN + PAGES(run.first), PAGES(run.count)), p, "discard"))
        become_zero(p, run);
}

static int make_own(const struct process *p, struct run run)
{
    void *at = (void *)(OWN + PAGES(run.first));
    region_id id = vm_create_anonymous_region(p->aid, "own", &at, REGION_ADDR_REPLACE,
                                              PAGES(run.count), REGION_WIRING_LAZY, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

static void replace(struct process *p)
{
    struct run run = pick(p, OWN_PAGES);
    if (was_done(make_own(p, run), p, "new memory"))
        become_zero(p, run);
}

static void advise_own(struct process *p)
{
    static const int advice[] = {VM_ADVICE_COLD, VM_ADVICE_PAGEOUT, VM_ADVICE_WILL_NEED,
                                 VM_ADVICE_RANDOM, VM_ADVICE_NORMAL};
    struct run run = pick(p, OWN_PAGES);
    (void)was_done(vm_advise_range(p->aid, OWN + PAGES(run.first), PAGES(run.count),
                                   advice[generate_pick(&p->random, 5)]),
                   p, "advice");
}

static void free_own(struct process *p)
{
    struct run run = pick(p, OWN_PAGES);
    must(vm_advise_range(p->aid, OWN + PAGES(run.first), PAGES(run.count), VM_ADVICE_FREE), p,
         "free");
    memset(&p->may_be_lost[run.first], 1, run.count);
}

/* Ends it for all pages; a page that nobody hears of as lost must be there. */
static void keep_own(struct process *p)
{
    bool lost;
    must(vm_keep_range(p->aid, OWN, PAGES(OWN_PAGES), &lost), p, "keep");
    for (unsigned i = 0; i < OWN_PAGES; i++)
        if (p->may_be_lost[i]) {
            check_own(p, i);
            p->may_be_lost[i] = false;
        }
}

static void wire(struct process *p)
{
    struct run run = pick(p, OWN_PAGES);
    addr_t at = OWN + PAGES(run.first);
    if (run.count > 4)
        run.count = 4;
    if (!was_done(vm_wire_range(p->aid, at, PAGES(run.count)), p, "wire"))
        return;
    for (unsigned i = run.first; i < run.first + run.count; i++)
        check_own(p, i);
    (void)vm_reclaim(8);
    while (!was_done(vm_unwire_range(p->aid, at, PAGES(run.count)), p, "unwire"))
        sim_yield();
}

/* ---- a child ------------------------------------------------------------------------------------ */

/* What was in memory when it was made is there for the child, and stays with the parent. */
static void fork_child(struct process *p)
{
    struct run run = pick(p, OWN_PAGES);
    for (unsigned i = run.first; i < run.first + run.count; i++)
        write_own(p, i);
    aspace_id child = vm_copy_aspace(p->aid, "child");
    if (!was_done(child, p, "fork"))
        return;
    for (unsigned i = run.first; i < run.first + run.count; i += 2)
        write_own(p, i);
    sim_set_aspace(child);
    for (unsigned i = run.first; i < run.first + run.count; i++) {
        uint32_t version = p->own[i] - ((i - run.first) % 2 == 0);
        check_page(p, OWN + PAGES(i), KIND_OWN, i, version);
        write_page(p, OWN + PAGES(i), KIND_OWN, i, version + 1000000);
    }
    sim_set_aspace(p->aid);
    must(sim_delete_aspace(child), p, "a child ends");
    for (unsigned i = run.first; i < run.first + run.count; i++)
        check_own(p, i);
}

/* ---- files -------------------------------------------------------------------------------------- */

static unsigned shared_page(const struct process *p, unsigned page)
{
    return p->number * SHARED_PAGES + page;
}

static void check_shared(const struct process *p, unsigned page)
{
    check_page(p, SHARED + PAGES(shared_page(p, page)), KIND_SHARED, page, p->shared[page]);
}

static void use_shared(struct process *p)
{
    struct run run = pick(p, SHARED_PAGES);
    for (unsigned i = run.first; i < run.first + run.count; i++) {
        check_shared(p, i);
        if (generate_pick(&p->random, 3) != 0)
            write_page(p, SHARED + PAGES(shared_page(p, i)), KIND_SHARED, i, ++p->shared[i]);
    }
}

static void copy_shared(struct process *p)
{
    uint64_t word[WORDS];
    size_t done;
    unsigned page = generate_pick(&p->random, SHARED_PAGES);
    off_t at = (off_t)PAGES(shared_page(p, page));
    must(vm_cache_read(pressure.cache, at, word, PAGE, false, &done), p, "a copy");
    if (!is_page(word, KIND_SHARED, p->number, page, p->shared[page]))
        fail_page(p, KIND_SHARED, page, p->shared[page], word);
    make_page(word, KIND_SHARED, p->number, page, ++p->shared[page]);
    must(vm_cache_write(pressure.cache, at, word, PAGE, false, &done), p, "a copy back");
}

/* Another process's page is some version of it, as a whole. */
static void look_at_other(struct process *p)
{
    uint64_t seen[WORDS];
    unsigned other = generate_pick(&p->random, PROCESSES);
    unsigned page = generate_pick(&p->random, SHARED_PAGES);
    read_page(p, SHARED + PAGES(other * SHARED_PAGES + page), seen);
    uint32_t version = (uint32_t)seen[0];
    if (!is_page(seen, KIND_SHARED, other, page, version) ||
        version > pressure.process[other].shared[page])
        sim_fail("process %u sees of process %u's page %u what it never was: %#lx", p->number,
                 other, page, (unsigned long)seen[0]);
}

static void sync_shared(struct process *p)
{
    addr_t at = SHARED + PAGES(shared_page(p, 0));
    must(vm_sync_range(p->aid, at, PAGES(SHARED_PAGES)), p, "a sync");
    for (unsigned i = 0; i < SHARED_PAGES; i++) {
        uint64_t word[WORDS];
        memcpy(word, sim_file_data(pressure.shared) + PAGES(shared_page(p, i)), PAGE);
        if (!is_page(word, KIND_SHARED, p->number, i, p->shared[i]))
            fail_page(p, KIND_SHARED, i, p->shared[i], word);
    }
}

static void use_library(struct process *p)
{
    struct run run = pick(p, LIBRARY_PAGES);
    for (unsigned i = run.first; i < run.first + run.count; i++) {
        check_page(p, LIBRARY + PAGES(i), KIND_LIBRARY, i, p->library[i]);
        if (generate_pick(&p->random, 4) == 0)
            write_page(p, LIBRARY + PAGES(i), KIND_LIBRARY, i, ++p->library[i]);
    }
}

/* ---- all ---------------------------------------------------------------------------------------- */

static void reclaim(struct process *p)
{
    (void)vm_reclaim(1 + generate_pick(&p->random, 64));
}

static void operate(struct process *p)
{
    static void (*const operations[])(struct process * p) = {
        use_own,     use_own,     use_own,       use_own,      use_own,    use_own,
        use_own,     use_shared,  use_shared,    use_shared,   use_shared, use_library,
        use_library, copy_shared, copy_shared,   sync_shared,  fork_child, fork_child,
        discard,     replace,     advise_own,    advise_own,   free_own,   keep_own,
        wire,        reclaim,     look_at_other, look_at_other};
    unsigned count = sizeof(operations) / sizeof(operations[0]);
    operations[generate_pick(&p->random, count)](p);
    pressure.outcome->operations++;
}

int process_run(void *number)
{
    struct process *p = &pressure.process[(uintptr_t)number];
    for (unsigned i = 0; i < OWN_PAGES; i++)
        write_own(p, i);
    for (unsigned i = 0; i < OPERATIONS; i++)
        operate(p);
    process_check(p);
    return VM_OK;
}

void process_check(struct process *p)
{
    for (unsigned i = 0; i < OWN_PAGES; i++)
        check_own(p, i);
    for (unsigned i = 0; i < SHARED_PAGES; i++)
        check_shared(p, i);
    for (unsigned i = 0; i < LIBRARY_PAGES; i++)
        check_page(p, LIBRARY + PAGES(i), KIND_LIBRARY, i, p->library[i]);
    sync_shared(p);
}

static void map_file(const struct process *p, addr_t base, sim_file *file, size_t pages,
                     int mapping)
{
    void *at = (void *)base;
    must(vm_map_vnode(p->aid, "file", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(pages), LOCK_RW,
                      mapping, file, 0),
         p, "a mapping");
}

void process_begin(unsigned number, uint64_t seed)
{
    struct process *p = &pressure.process[number];
    *p = (struct process){.number = number};
    generate_start(&p->random, seed * PROCESSES + number, GENERATE_ALL);
    p->aid = vm_create_aspace("process", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
    must(p->aid, p, "a space");
    must(make_own(p, (struct run){0, OWN_PAGES}), p, "its memory");
    map_file(p, SHARED, pressure.shared, PROCESSES * SHARED_PAGES, REGION_NO_PRIVATE_MAP);
    map_file(p, LIBRARY, pressure.library, LIBRARY_PAGES, REGION_PRIVATE_MAP);
}

void process_end(struct process *p)
{
    must(sim_delete_aspace(p->aid), p, "its end");
}
