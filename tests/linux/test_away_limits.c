/* SPDX-License-Identifier: MIT */
/* Snapshots where Linux refuses a move, or the process forks amid one: the region's bytes are there, and what is the program's
 * stays. */
#include "../../host/linux/linux.h"

#include "support.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK 512 /* pages */
#define CHUNKS 4
#define ALL ((size_t)CHUNKS * CHUNK)

static void fill_region(volatile unsigned char *at)
{
    for (size_t i = 0; i < ALL; i++)
        write_page(at, i, i + 1);
}

static volatile unsigned char *region(void)
{
    volatile unsigned char *at = map_memory(ALL);
    fill_region(at);
    return at;
}

static volatile unsigned char *snapshot_of(volatile unsigned char *at)
{
    void *copy;
    OK(quire_snapshot((void *)at, &copy));
    return copy;
}

/* Both have what was there, and each its own when it is written. */
static void assert_two(volatile unsigned char *at, volatile unsigned char *copy)
{
    for (size_t i = 0; i < ALL; i++)
        assert_true(page_is(at, i, i + 1));
    for (size_t i = 0; i < ALL; i++)
        write_page(at, i, i + 9);
    for (size_t i = 0; i < ALL; i++)
        assert_true(page_is(copy, i, i + 1) && page_is(at, i, i + 9));
}

/* Of /proc/self/statm. */
static size_t figure(unsigned number)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    for (unsigned i = 0; i <= number; i++)
        assert_int_equal(fscanf(file, "%zu", &pages), 1);
    fclose(file);
    return pages;
}

static size_t pages_of_address_space(void)
{
    return figure(0);
}

static size_t pages_of_data(void)
{
    return figure(5);
}

/* From the address on, as far as Linux's mapping there goes. */
static size_t locked_pages(const void *at)
{
    char line[400];
    unsigned long first, end, there = 0, kib, pages = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
            there = first <= (unsigned long)at && (unsigned long)at < end;
        else if (there && sscanf(line, "Locked: %lu", &kib) == 1)
            pages = kib * 1024 / PAGE;
    fclose(maps);
    return pages;
}

static bool is_away(volatile unsigned char *at)
{
    unsigned char shown = 0;
    assert_int_equal(mincore((void *)at, PAGE, &shown), 0);
    return !(shown & 1);
}

static void need_away(volatile unsigned char *at)
{
    if (CHECKS_RACES || CHECKS_MEMORY)
        skip_test("a checker's memory is in the way of limits");
    if (!is_away(at))
        skip_test("nothing goes away here");
}

/* ---- mappings ----------------------------------------------------------------------------------- */

/* Linux has no mapping left for this process: neighbours of different rights are one each. */
static void use_up_mappings(void)
{
    size_t pages = (size_t)1 << 18;
    char *at =
        mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(at != MAP_FAILED);
    for (size_t i = 1; i < pages; i += 2)
        if (mprotect(at + i * PAGE, PAGE, PROT_READ) != 0)
            return;
    skip_test("this process may have any number of mappings");
}

static void test_return_without_mappings(void)
{
    volatile unsigned char *at = region(), *copy = snapshot_of(at);
    need_away(at);
    use_up_mappings();
    assert_two(at, copy);
}

/* ---- limits ------------------------------------------------------------------------------------- */

static void limit(__rlimit_resource_t resource, size_t bytes)
{
    struct rlimit now;
    assert_int_equal(getrlimit(resource, &now), 0);
    now.rlim_cur = bytes;
    assert_int_equal(setrlimit(resource, &now), 0);
}

static void test_return_with_less_address_space(void)
{
    volatile unsigned char *at = region(), *copy = snapshot_of(at);
    need_away(at);
    limit(RLIMIT_AS, MIB);
    assert_two(at, copy);
    limit(RLIMIT_AS, RLIM_INFINITY);
    copy = snapshot_of(at); /* the second range isn't all Quire's any more */
    assert_false(is_away(at));
    for (size_t i = 0; i < ALL; i++)
        assert_true(page_is(copy, i, i + 9));
}

static void test_return_with_less_data(void)
{
    volatile unsigned char *at = region(), *copy = snapshot_of(at);
    need_away(at);
    limit(RLIMIT_DATA, MIB);
    assert_two(at, copy);
}

/* The second range is Quire's alone, else the program's own mappings could be where a region goes. */
static void test_refused_moves_leave_no_hole(void)
{
    volatile unsigned char *other = region(), *at = region();
    void *copy;
    (void)snapshot_of(other);
    need_away(other);
    size_t before = pages_of_address_space();
    limit(RLIMIT_DATA, MIB);
    assert_int_equal(quire_snapshot((void *)at, &copy), ERR_NO_MEMORY);
    assert_false(is_away(at));
    limit(RLIMIT_DATA, RLIM_INFINITY);
    assert_in_range(pages_of_address_space(), before, before + ALL);
    fill_region(at);
    copy = (void *)snapshot_of(at);
    assert_true(is_away(at));
    assert_two(at, copy);
}

static void test_refused_moves_of_several_mappings_leave_no_hole(void)
{
    volatile unsigned char *other = region(), *at = region(), *copy;
    (void)snapshot_of(other);
    need_away(other);
    size_t before = pages_of_address_space();
    assert_int_equal(madvise((void *)(at + 5 * PAGE), PAGE, MADV_DONTDUMP), 0);
    copy = snapshot_of(at);
    assert_in_range(pages_of_address_space(), before, before + ALL);
    assert_two(at, copy);
}

/* What may be written counts for RLIMIT_DATA, and for Linux's promises where it makes no more than it has. */
static void test_unmap_gives_back_the_second_place(void)
{
    volatile unsigned char *at = region();
    OK(quire_unmap((void *)snapshot_of(at))); /* and there is a thread */
    fill_region(at);
    size_t before = pages_of_data();
    volatile unsigned char *other = region(), *copy = snapshot_of(other);
    need_away(other);
    assert_two(other, copy);
    OK(quire_unmap((void *)other));
    OK(quire_unmap((void *)copy));
    assert_in_range(pages_of_data(), before, before + 64);
}

/* What is locked stays so. */
static void test_locked_regions_stay(void)
{
    volatile unsigned char *at = region();
    if (mlock((void *)at, ALL * PAGE) != 0 || locked_pages((void *)at) == 0)
        skip_test("this user may not lock so much, or a checker locks nothing");
    volatile unsigned char *copy = snapshot_of(at);
    assert_false(is_away(at));
    assert_int_equal(locked_pages((void *)at), ALL);
    assert_two(at, copy);
    assert_int_equal(locked_pages((void *)at), ALL);
}

/* Where a region goes is Quire's already, wherever its own range is. */
static void test_the_second_range_has_room_for_all(void)
{
    volatile unsigned char *first = region(), *at = region(), *copy = map_memory(ALL);
    (void)snapshot_of(first);
    need_away(first);
    OK(quire_unmap((void *)copy));
    size_t before = pages_of_address_space();
    copy = snapshot_of(at);
    assert_true(is_away(at));
    assert_int_equal(pages_of_address_space(), before);
    assert_two(at, copy);
}

/* ---- fork --------------------------------------------------------------------------------------- */

static void start_anew(void)
{
    struct quire_options options = {.budget = 64 * MIB, .mode = QUIRE_MODE_SIGNAL};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    alarm(20);
    OK(quire_start(&options));
    volatile unsigned char *at = region();
    assert_two(at, snapshot_of(at));
    OK(quire_stop());
    _exit(0);
}

static bool is_to_fork; /* at the next move */
static pid_t child;

void *__real_mremap(void *from, size_t size, size_t new_size, int flags, void *to);
void *__wrap_mremap(void *from, size_t size, size_t new_size, int flags, void *to);

void *__wrap_mremap(void *from, size_t size, size_t new_size, int flags, void *to)
{
    bool forks = is_to_fork;
    is_to_fork = false;
    if (forks && (child = fork()) == 0)
        start_anew();
    return __real_mremap(from, size, new_size, flags, to);
}

static int status_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* What the parent's thread has locked then is nobody's in the child. */
static void test_child_of_a_moment_when_something_moves(void)
{
    volatile unsigned char *at = region();
    is_to_fork = true;
    volatile unsigned char *copy = snapshot_of(at);
    need_away(at);
    assert_int_equal(status_of(child), 0);
    assert_two(at, copy);
}

/* The parent's second range isn't the child's, which may have its own memory there. */
static char *second_range(void)
{
    unsigned long first, end;
    char rights[5], line[400];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %4s", &first, &end, rights) == 3 && !is_regions(first) &&
            end - first > process.size / 2 && strcmp(rights, "---p") == 0) {
            fclose(maps);
            return (char *)first;
        }
    fclose(maps);
    fail_msg("there is no second range");
    return NULL;
}

static void use_where_the_parent_had_it(char *second)
{
    char *own = mmap(second, PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(own, second);
    *own = 7;
    struct quire_options options = {.budget = 2 * MIB, .mode = QUIRE_MODE_SIGNAL};
    OK(quire_start(&options));
    OK(quire_stop());
    assert_int_equal(*own, 7);
}

static void test_child_keeps_its_memory(void)
{
    volatile unsigned char *at = region();
    (void)snapshot_of(at);
    need_away(at);
    char *second = second_range();
    pid_t pid = fork();
    if (pid == 0) {
        use_where_the_parent_had_it(second);
        _exit(0);
    }
    assert_int_equal(status_of(pid), 0);
}

#define SIGNAL(f) TEST_WITH(f, .budget = 64 * MIB, .mode = QUIRE_MODE_SIGNAL)

LINUX_MAIN(SIGNAL(test_return_without_mappings), SIGNAL(test_return_with_less_address_space),
           SIGNAL(test_return_with_less_data), SIGNAL(test_refused_moves_leave_no_hole),
           SIGNAL(test_refused_moves_of_several_mappings_leave_no_hole),
           SIGNAL(test_unmap_gives_back_the_second_place), SIGNAL(test_locked_regions_stay),
           TEST_WITH(test_the_second_range_has_room_for_all, .budget = 64 * MIB,
                     .mode = QUIRE_MODE_SIGNAL,
                     .base = (void *)(CHECKS_RACES ? 0x7e903fe00000 : 0x20003fe00000),
                     .range = 64 * MIB),
           SIGNAL(test_child_of_a_moment_when_something_moves), SIGNAL(test_child_keeps_its_memory))
