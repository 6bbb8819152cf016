/* SPDX-License-Identifier: MIT */
#include "crash_work.h"

#include <stdio.h>
#include <string.h>

#include "generate.h"

#define PAGE VM_PAGE_SIZE
#define PAGES(n) ((addr_t)(n)*VM_PAGE_SIZE)
#define OPERATIONS 14
#define MEMORY_PAGES 20 /* each writer's own */
#define SECOND ((uint64_t)1000000000)

#define SHARED(file) (0x10000000 + (addr_t)(file)*0x100000)
#define PRIVATE(file) (0x20000000 + (addr_t)(file)*0x100000)
#define OWN(writer) (0x30000000 + (addr_t)(writer)*0x100000)
#define PASSING(writer) (0x40000000 + (addr_t)(writer)*0x100000)

struct crash_work crash_work;

struct writer {
    unsigned number;
    struct generator random;
    uint8_t memory[MEMORY_PAGES]; /* what it has written to its own */
};
static struct writer writers[CRASH_WRITERS];

static void must(int64_t result, const char *what)
{
    if (result < 0)
        sim_fail("%s: %s", what, vm_error_text((int)result));
}

/* ---- numbers ------------------------------------------------------------------------------------ */

size_t crash_offset(unsigned page, unsigned writer, unsigned which)
{
    return page * PAGE + which * (PAGE / 2) + writer * 64;
}

uint64_t crash_word(unsigned file, unsigned page, unsigned writer, unsigned which, uint32_t number)
{
    uint64_t place = (uint64_t)file << 24 | page << 16 | writer << 8 | which | 0x80;
    return place << 32 | number;
}

uint8_t crash_byte(unsigned page)
{
    return (uint8_t)(page + 1);
}

typedef int put_word(unsigned file, size_t offset, uint64_t word, addr_t base);

static int put_mapped(unsigned file, size_t offset, uint64_t word, addr_t base)
{
    (void)file;
    return sim_write(base + offset, &word, sizeof(word));
}

static int put_through_cache(unsigned file, size_t offset, uint64_t word, addr_t base)
{
    size_t done;
    (void)base;
    return vm_cache_write(crash_work.cache[file], (off_t)offset, &word, sizeof(word), false, &done);
}

static void write_pair(struct writer *w, unsigned file, put_word *put, addr_t base)
{
    unsigned page = generate_pick(&w->random, CRASH_PAGES);
    struct crash_cell *cell = crash_work.cell[file][page][w->number];
    uint32_t number = cell[0].begun + 1;
    for (unsigned which = 0; which < CRASH_PAIR; which++) {
        cell[which].begun = number;
        must(put(file, crash_offset(page, w->number, which),
                 crash_word(file, page, w->number, which, number), base),
             "a number is written");
        cell[which].written = number;
    }
}

/* ---- ways to write ------------------------------------------------------------------------------ */

static void write_mapped(struct writer *w, unsigned file)
{
    write_pair(w, file, put_mapped, SHARED(file));
}

static void write_through_cache(struct writer *w, unsigned file)
{
    write_pair(w, file, put_through_cache, 0);
}

static region_id map(unsigned file, addr_t base, int mapping)
{
    void *at = (void *)base;
    region_id id = vm_map_vnode(crash_work.program, "file", &at, REGION_ADDR_EXACT_ADDRESS,
                                PAGES(CRASH_PAGES), LOCK_RW, mapping, crash_work.file[file], 0);
    return id;
}

/* Through a mapping that goes before anybody has looked at its dirty bits. */
static void write_in_passing(struct writer *w, unsigned file)
{
    addr_t base = PASSING(w->number);
    region_id id = map(file, base, REGION_NO_PRIVATE_MAP);
    if (id == ERR_NO_MEMORY)
        return; /* others may be faster to take what there is */
    must(id, "a file is mapped");
    write_pair(w, file, put_mapped, base);
    must(vm_delete_region(crash_work.program, id), "a mapping goes");
}

static void write_in_child(struct writer *w, unsigned file)
{
    aspace_id child = vm_copy_aspace(crash_work.program, "child");
    if (child == ERR_NO_MEMORY)
        return; /* likewise */
    must(child, "a fork");
    sim_set_aspace(child);
    write_pair(w, file, put_mapped, SHARED(file));
    sim_set_aspace(crash_work.program);
    must(sim_delete_aspace(child), "a child ends");
}

/* ---- syncs -------------------------------------------------------------------------------------- */

/* Whatever was written when the sync began is confirmed by it. */
struct promise {
    uint32_t number[CRASH_FILES][CRASH_PAGES][CRASH_WRITERS][CRASH_PAIR];
};

#define EACH_CELL(f, first, last, p, w, i)                                                         \
    for (unsigned p = (first); p <= (last); p++)                                                   \
        for (unsigned w = 0; w < CRASH_WRITERS; w++)                                               \
            for (unsigned i = 0; i < CRASH_PAIR; i++)

static void look(struct promise *promise)
{
    for (unsigned f = 0; f < CRASH_FILES; f++)
        EACH_CELL(f, 0, CRASH_PAGES - 1, p, w, i)
    promise->number[f][p][w][i] = crash_work.cell[f][p][w][i].written;
}

static void confirm(const struct promise *promise, unsigned file, unsigned first, unsigned last)
{
    EACH_CELL(file, first, last, p, w, i)
    {
        struct crash_cell *cell = &crash_work.cell[file][p][w][i];
        if (cell->confirmed < promise->number[file][p][w][i])
            cell->confirmed = promise->number[file][p][w][i];
    }
}

static bool is_done(int error)
{
    if (error != VM_OK && error != ERR_IO)
        sim_fail("a sync says %s", vm_error_text(error));
    return error == VM_OK;
}

static void sync_mapped(struct writer *w, unsigned file)
{
    struct promise promise;
    unsigned first = generate_pick(&w->random, CRASH_PAGES);
    unsigned count = 1 + generate_pick(&w->random, CRASH_PAGES - first);
    look(&promise);
    if (is_done(vm_sync_range(crash_work.program, SHARED(file) + PAGES(first), PAGES(count))))
        confirm(&promise, file, first, first + count - 1);
}

static void sync_file(struct writer *w, unsigned file)
{
    struct promise promise;
    (void)w;
    look(&promise);
    if (is_done(vm_cache_sync(crash_work.cache[file], 0, INT64_MAX)))
        confirm(&promise, file, 0, CRASH_PAGES - 1);
}

static void sync_all(struct writer *w, unsigned file)
{
    struct promise promise;
    (void)w, (void)file;
    look(&promise);
    if (!is_done(vm_sync_files()))
        return;
    for (unsigned f = 0; f < CRASH_FILES; f++)
        confirm(&promise, f, 0, CRASH_PAGES - 1);
}

/* ---- what else goes on -------------------------------------------------------------------------- */

static void write_private(struct writer *w, unsigned file)
{
    addr_t at = PRIVATE(file) + PAGES(generate_pick(&w->random, CRASH_PAGES)) + 32;
    must(sim_write_byte(at, 0xee), "a private write");
}

static void use_memory(struct writer *w, unsigned file)
{
    (void)file;
    for (unsigned i = 0; i < MEMORY_PAGES; i += 1 + generate_pick(&w->random, 3)) {
        addr_t at = OWN(w->number) + PAGES(i);
        int byte = sim_read_byte(at);
        if (byte != w->memory[i])
            sim_fail("writer %u's page %u has %d, not %d", w->number, i, byte, w->memory[i]);
        must(sim_write_byte(at, ++w->memory[i]), "a write to memory");
    }
}

static void reclaim(struct writer *w, unsigned file)
{
    (void)file;
    (void)vm_reclaim(1 + generate_pick(&w->random, 24));
}

static void page_out(struct writer *w, unsigned file)
{
    addr_t first = generate_pick(&w->random, CRASH_PAGES);
    must(vm_advise_range(crash_work.program, SHARED(file) + PAGES(first),
                         PAGES(CRASH_PAGES - first), VM_ADVICE_PAGEOUT),
         "advice");
}

static void sleep_long(struct writer *w, unsigned file)
{
    (void)w, (void)file;
    sim_sleep(3 * SECOND);
}

static void operate(struct writer *w)
{
    static void (*const operations[])(struct writer * w, unsigned file) = {
        write_mapped,     write_mapped,    write_mapped, write_through_cache,
        write_in_passing, sync_mapped,     sync_mapped,  sync_file,
        sync_all,         write_private,   use_memory,   reclaim,
        write_in_child,   page_out,        sleep_long,   write_mapped,
        use_memory,       write_in_passing};
    unsigned count = sizeof(operations) / sizeof(operations[0]);
    unsigned file = generate_pick(&w->random, CRASH_FILES);
    operations[generate_pick(&w->random, count)](w, file);
}

int crash_writer(void *number)
{
    struct writer *w = &writers[(uintptr_t)number];
    for (unsigned i = 0; i < OPERATIONS; i++)
        operate(w);
    return VM_OK;
}

/* ---- beginning and ending ----------------------------------------------------------------------- */

static void make_file(unsigned f)
{
    char name[3] = {'/', (char)('a' + f), 0};
    sim_file *file = sim_file_create_numbered(name, CRASH_PAGES);
    EACH_CELL(f, 0, CRASH_PAGES - 1, p, w, i)
    {
        uint64_t word = crash_word(f, p, w, i, 0);
        memcpy(sim_file_data(file) + crash_offset(p, w, i), &word, sizeof(word));
    }
    crash_work.file[f] = file;
    must(vm_get_vnode_cache(file, &crash_work.cache[f]), "a cache");
    must(map(f, SHARED(f), REGION_NO_PRIVATE_MAP), "a file is mapped");
    must(map(f, PRIVATE(f), REGION_PRIVATE_MAP), "a file is mapped privately");
}

static void make_memory(unsigned writer)
{
    void *at = (void *)OWN(writer);
    must(vm_create_anonymous_region(crash_work.program, "own", &at, REGION_ADDR_EXACT_ADDRESS,
                                    PAGES(MEMORY_PAGES), REGION_WIRING_LAZY, LOCK_RW),
         "memory");
}

void crash_work_begin(uint64_t seed)
{
    memset(&crash_work, 0, sizeof(crash_work));
    memset(writers, 0, sizeof(writers));
    crash_work.program = sim_new_aspace();
    must(crash_work.program, "a space");
    for (unsigned f = 0; f < CRASH_FILES; f++)
        make_file(f);
    for (unsigned w = 0; w < CRASH_WRITERS; w++) {
        make_memory(w);
        writers[w].number = w;
        generate_start(&writers[w].random, seed * CRASH_WRITERS + w, GENERATE_ALL);
    }
}

void crash_work_end(void)
{
    struct promise promise;
    look(&promise);
    must(vm_sync_files(), "the last sync");
    for (unsigned f = 0; f < CRASH_FILES; f++) {
        confirm(&promise, f, 0, CRASH_PAGES - 1);
        vm_put_cache(crash_work.cache[f]);
    }
    must(sim_delete_aspace(crash_work.program), "the space ends");
}
