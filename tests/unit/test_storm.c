/* SPDX-License-Identifier: MIT */
/* Many fibers do random things to one address space, to its forks and to one file, on three CPUs,
 * with the turn changing at any lock. Each has pages of its own whose bytes it knows; what they do to
 * the common pages must only keep every structure whole. */
#include "support.h"

#define FIBERS 5
#define STEPS 40
#define OWN 4 /* pages of each fiber */
#define COMMON (SPOT + PAGES(256))
#define COMMON_PAGES 16
#define FILE_PAGES 8
#define STACKS (SPOT + PAGES(1024))

struct life {
    unsigned number;
    uint64_t state;
    addr_t own;
    uint8_t bytes[OWN];
};

static sim_file *file;
static vm_cache_ref *file_cache;
static bool starving; /* allocations fail now and then */

static unsigned pick(struct life *life, unsigned limit)
{
    life->state ^= life->state << 13;
    life->state ^= life->state >> 7;
    life->state ^= life->state << 17;
    return (unsigned)((life->state >> 11) % limit);
}

static void expect(bool condition, const struct life *life, const char *what)
{
    if (!condition)
        sim_fail("fiber %u: %s", life->number, what);
}

/* An answer that means that nothing has happened, for want of memory. */
static bool is_hunger(int error)
{
    return starving && (error == ERR_NO_MEMORY || error == ERR_VM_WOULD_OVERCOMMIT);
}

static void check_byte(struct life *life, unsigned page, uint8_t expected, const char *what)
{
    int byte = sim_read_byte(life->own + PAGES(page));
    expect(byte == expected || is_hunger(byte), life, what);
}

static void check_own(struct life *life)
{
    unsigned page = pick(life, OWN);
    check_byte(life, page, life->bytes[page], "its own page has another's byte");
}

static void write_own(struct life *life)
{
    unsigned page = pick(life, OWN);
    uint8_t byte = (uint8_t)pick(life, 256);
    int error = sim_write_byte(life->own + PAGES(page), byte);
    expect(error == VM_OK || is_hunger(error), life, "can't write to its own");
    if (error == VM_OK)
        life->bytes[page] = byte;
    check_byte(life, page, life->bytes[page], "its own write is lost");
}

static void discard_own(struct life *life)
{
    unsigned page = pick(life, OWN);
    int error = vm_discard_range(program, life->own + PAGES(page), PAGE);
    expect(error == VM_OK || is_hunger(error), life, "can't discard its own");
    if (error == VM_OK)
        life->bytes[page] = 0;
    check_own(life);
}

static void map_common(struct life *life)
{
    unsigned first = pick(life, COMMON_PAGES), count = 1 + pick(life, COMMON_PAGES - first);
    unsigned kind = pick(life, 4);
    void *at = PTR(COMMON + PAGES(first));
    if (kind == 0)
        (void)vm_map_vnode(program, "f", &at, REGION_ADDR_REPLACE, PAGES(count), LOCK_RW,
                           REGION_PRIVATE_MAP, file, 0);
    else if (kind == 1)
        (void)vm_map_vnode(program, "f", &at, REGION_ADDR_REPLACE, PAGES(count), LOCK_RW,
                           REGION_NO_PRIVATE_MAP, file, 0);
    else
        (void)vm_create_anonymous_region(program, "common", &at, REGION_ADDR_REPLACE, PAGES(count),
                                         REGION_WIRING_LAZY,
                                         LOCK_RW | (kind == 2 ? REGION_SHARED : 0));
}

static void change_common(struct life *life)
{
    unsigned first = pick(life, COMMON_PAGES), count = 1 + pick(life, COMMON_PAGES - first);
    addr_t at = COMMON + PAGES(first), size = PAGES(count);
    void *to = PTR(COMMON + PAGES(pick(life, COMMON_PAGES)));
    switch (pick(life, 6)) {
    case 0:
        (void)vm_unmap_range(program, at, size);
        break;
    case 1:
        (void)vm_protect_range(program, at, size, pick(life, 2) == 0 ? LOCK_RO : LOCK_RW);
        break;
    case 2:
        (void)vm_discard_range(program, at, size);
        break;
    case 3:
        (void)vm_move_range(program, at, size, size, &to, REGION_ADDR_REPLACE);
        break;
    case 4:
        (void)vm_sync_range(program, at, size);
        break;
    default:
        (void)vm_set_inheritance(program, at, size, (int)pick(life, 3));
    }
}

static void touch_common(struct life *life)
{
    for (unsigned i = 0; i < 4; i++) {
        addr_t at = COMMON + PAGES(pick(life, COMMON_PAGES)) + pick(life, 4000);
        if (pick(life, 2) == 0)
            (void)sim_write_byte(at, (uint8_t)i);
        else
            (void)sim_read_byte(at);
    }
}

static void clone_common(struct life *life)
{
    vm_region_info info;
    addr_t cookie = COMMON + PAGES(pick(life, COMMON_PAGES));
    void *at = NULL;
    if (vm_get_next_region_info(program, &cookie, &info) != VM_OK)
        return;
    region_id id =
        vm_clone_region(program, "clone", &at, REGION_ADDR_ANY_ADDRESS, info.id,
                        pick(life, 2) == 0 ? REGION_PRIVATE_MAP : REGION_NO_PRIVATE_MAP, LOCK_RW);
    if (id < 0)
        return;
    (void)sim_write_byte((addr_t)at, 1);
    (void)sim_read_byte((addr_t)at + info.size - 1);
    expect(vm_delete_region(program, id) == VM_OK, life, "its clone is gone");
}

/* The child sees the parent's bytes of the moment, and keeps them. */
static void fork_and_exit(struct life *life)
{
    uint8_t then[OWN];
    memcpy(then, life->bytes, OWN);
    aspace_id child = vm_copy_aspace(program, "child");
    if (child < 0)
        return;
    sim_set_aspace(child);
    for (unsigned i = 0; i < OWN; i++)
        check_byte(life, i, then[i], "its child sees another byte");
    (void)sim_write_byte(life->own, 0xee);
    touch_common(life);
    sim_set_aspace(program);
    write_own(life);
    sim_set_aspace(child);
    check_byte(life, 1, then[1], "its child sees a later byte");
    sim_set_aspace(program);
    expect(vm_delete_aspace(child) == VM_OK, life, "its child is gone");
}

static void use_file(struct life *life)
{
    char bytes[64] = "";
    size_t done, size = PAGES(1 + pick(life, FILE_PAGES));
    off_t at = (off_t)pick(life, (unsigned)PAGES(FILE_PAGES) - 64);
    switch (pick(life, 4)) {
    case 0:
        sim_file_set_size(file, size);
        vm_cache_truncate(file_cache, (off_t)size);
        break;
    case 1:
        (void)vm_cache_write(file_cache, at, bytes, sizeof(bytes), false, &done);
        break;
    case 2:
        (void)vm_cache_read(file_cache, at, PTR(COMMON), sizeof(bytes), true, &done);
        break;
    default:
        (void)vm_cache_read(file_cache, at, bytes, sizeof(bytes), false, &done);
    }
}

static void wire_common(struct life *life)
{
    unsigned first = pick(life, COMMON_PAGES), count = 1 + pick(life, COMMON_PAGES - first);
    if (pick(life, 2) == 0)
        (void)vm_wire_range(program, COMMON + PAGES(first), PAGES(count));
    else
        (void)vm_unwire_range(program, COMMON + PAGES(first), PAGES(count));
}

static void resize_common(struct life *life)
{
    vm_region_info info;
    addr_t cookie = COMMON + PAGES(pick(life, COMMON_PAGES));
    if (vm_get_next_region_info(program, &cookie, &info) == VM_OK && info.base < STACKS)
        (void)vm_resize_region(program, info.id, PAGES(1 + pick(life, 6)));
}

static void look_around(struct life *life)
{
    uint8_t pages[COMMON_PAGES];
    vm_region_info info;
    addr_t cookie = 0, physical;
    (void)vm_get_residency(program, COMMON, PAGES(COMMON_PAGES), pages);
    (void)vm_get_page_mapping(program, COMMON + PAGES(pick(life, COMMON_PAGES)), &physical);
    (void)vm_find_region_by_name(program, "common");
    while (vm_get_next_region_info(program, &cookie, &info) == VM_OK)
        expect(info.size > 0 && info.base + (info.size - 1) < cookie, life, "a region is odd");
}

/* Its stack grows, up to the limit, and keeps what was on it. */
static void use_stack(struct life *life)
{
    addr_t top = STACKS + PAGES(1024 * (life->number + 1)) - 16;
    addr_t at = top - PAGES(pick(life, 40));
    uint64_t value = at, back = 0;
    int error = sim_write(at, &value, sizeof(value));
    expect(error == VM_OK || is_hunger(error) || (starving && error == ERR_VM_PF_BAD_ADDRESS), life,
           "its stack doesn't grow");
    if (error == VM_OK && sim_read(at, &back, sizeof(back)) == VM_OK)
        expect(back == value, life, "its stack forgets");
}

static void change_cpu(struct life *life)
{
    sim_set_cpu(pick(life, 3));
}

static void starve(struct life *life)
{
    static const enum sim_failure classes[] = {SIM_FAIL_METADATA, SIM_FAIL_FRAME, SIM_FAIL_TABLE,
                                               SIM_FAIL_COMMIT, SIM_FAIL_STORE_READ};
    if (starving)
        sim_fail_at(classes[pick(life, 5)], 1 + pick(life, 20), false);
}

static int live(void *argument)
{
    struct life *life = argument;
    static void (*const deeds[])(struct life *) = {
        check_own,    write_own,    discard_own,   map_common, change_common, touch_common,
        touch_common, clone_common, fork_and_exit, use_file,   wire_common,   resize_common,
        look_around,  use_stack,    starve,        change_cpu};
    for (unsigned i = 0; i < STEPS; i++) {
        deeds[pick(life, sizeof(deeds) / sizeof(deeds[0]))](life);
        check_own(life);
    }
    return 0;
}

static void storm(uint64_t seed)
{
    static struct life lives[FIBERS];
    OK(sim_start(&(struct sim_config){.cpus = 3, .seed = seed}));
    program = sim_new_aspace();
    file = sim_file_create_numbered("/f", FILE_PAGES);
    OK(vm_get_vnode_cache(file, &file_cache));
    region_at(SPOT, FIBERS * OWN, LOCK_RW);
    for (unsigned i = 0; i < FIBERS; i++)
        region_at(STACKS + PAGES(1024 * (i + 1) - 2), 2, LOCK_RW | REGION_GROWS_DOWN);
    for (unsigned i = 0; i < FIBERS; i++) {
        lives[i] = (struct life){
            .number = i, .state = seed * 0x9e3779b97f4a7c15u + i + 1, .own = SPOT + PAGES(i * OWN)};
        sim_spawn_on(i % 3, program, "life", live, &lives[i]);
    }
    sim_run();
    for (enum sim_failure class = 0; class < SIM_FAILURES; class ++)
        sim_fail_at(class, 0, false);
    SIM_CHECK();
    sim_set_aspace(program);
    for (unsigned i = 0; i < FIBERS; i++)
        for (unsigned page = 0; page < OWN; page++)
            assert_byte(lives[i].own + PAGES(page), lives[i].bytes[page]);
    vm_put_cache(file_cache);
    OK(sim_delete_aspace(program));
    SIM_CHECK();
    assert_int_equal(sim_committed(), 0);
    sim_end();
}

static uint64_t current_seed;

static void fail_with_seed(const char *text)
{
    fail_msg("seed %lu: %s", (unsigned long)current_seed, text);
}

static void storms(uint64_t first, uint64_t count)
{
    OK(sim_delete_aspace(program));
    sim_end();
    sim_set_failure_handler(fail_with_seed);
    for (current_seed = first; current_seed < first + count; current_seed++)
        storm(current_seed);
    OK(sim_start(NULL));
    program = sim_new_aspace();
}

static void storms_of_choice(bool with_failures)
{
    starving = with_failures;

    struct seeds seeds = seeds_or(1, 60);
    storms(seeds.first, seeds.count);
}

static void test_storm_of_fibers(void)
{
    storms_of_choice(false);
}

static void test_storm_of_starving_fibers(void)
{
    storms_of_choice(true);
}

UNIT_MAIN("storms", TEST(test_storm_of_fibers), TEST(test_storm_of_starving_fibers))
