/* SPDX-License-Identifier: MIT */
/* The limits of memory cgroups: found in trees like those that Linux shows, and what quire_start says of them. */
#include "../../host/linux/memory_limit.h"

#include "support.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH 512

/* ---- trees -------------------------------------------------------------------------------------- */

static char tree[] = "/tmp/quire-limits-XXXXXX";

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

static void begin(void)
{
    assert_non_null(mkdtemp(tree));
}

static void end(void)
{
    assert_int_equal(nftw(tree, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static const char *in_tree(const char *name, char path[PATH])
{
    (void)snprintf(path, PATH, "%s/%s", tree, name);
    return path;
}

/* A file below the tree, with the directories on its way; %s in the text is the tree. */
static void put(const char *name, const char *text)
{
    char path[PATH];
    (void)in_tree(name, path);
    for (char *at = path + strlen(tree) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        (void)mkdir(path, 0755);
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (const char *at = text; *at; at++)
        if (at[0] == '%' && at[1] == 's') {
            (void)fputs(tree, file);
            at++;
        } else {
            (void)fputc(*at, file);
        }
    assert_int_equal(fclose(file), 0);
}

void __real_memory_limit_read(const char *groups, const char *mounts, struct memory_limit *limit);
static bool finds(uint64_t max, uint64_t high)
{
    char groups[PATH], mounts[PATH];
    struct memory_limit limit;
    __real_memory_limit_read(in_tree("cgroup", groups), in_tree("mountinfo", mounts), &limit);
    if (limit.max != max || limit.high != high)
        print_message("%lu, %lu\n", (unsigned long)limit.max, (unsigned long)limit.high);
    return limit.max == max && limit.high == high;
}

static void test_no_files_are_no_limit(void)
{
    begin();
    assert_true(finds(MEMORY_UNLIMITED, MEMORY_UNLIMITED));
    put("mountinfo", "");
    assert_true(finds(MEMORY_UNLIMITED, MEMORY_UNLIMITED));
    put("mountinfo", "30 20 0:26 / %s/two rw - cgroup2 cgroup2 rw\n");
    assert_true(finds(MEMORY_UNLIMITED, MEMORY_UNLIMITED));
    end();
}

static void test_the_smallest_limit_of_the_groups_above(void)
{
    begin();
    put("mountinfo",
        "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "30 20 0:26 / %s/two rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n");
    put("cgroup", "0::/a/b/c\n");
    put("two/a/b/c/memory.max", "max\n");
    put("two/a/b/c/memory.high", "max\n");
    assert_true(finds(MEMORY_UNLIMITED, MEMORY_UNLIMITED));
    put("two/a/b/memory.max", "700000\n");
    assert_true(finds(700000, MEMORY_UNLIMITED));
    put("two/a/memory.max", "300000\n");
    put("two/a/memory.high", "200000\n");
    put("two/b/memory.max", "100000\n"); /* another's */
    assert_true(finds(300000, 200000));
    put("two/memory.max", "90000"); /* of a container that sees itself as the root */
    put("two/a/b/c/memory.max", "80000\n");
    assert_true(finds(80000, 200000));
    put("two/a/b/c/memory.max", "0\n");
    assert_true(finds(0, 200000));
    end();
}

static void test_limits_of_version_1(void)
{
    begin();
    put("mountinfo", "29 20 0:25 / %s/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
                     "30 20 0:26 / %s/one rw - cgroup cgroup rw,xattr,memory\n");
    put("cgroup",
        "9:name=memory:/wrong\n8:memory_bandwidth,cpu:/wrong\n4:hugetlb,memory:/x/y\n0::/wrong\n");
    put("one/x/memory.limit_in_bytes", "9223372036854771712\n");
    put("one/x/y/memory.limit_in_bytes", "5000000\n");
    put("one/wrong/memory.limit_in_bytes", "4096\n");
    put("cpu/x/memory.limit_in_bytes", "4096\n");
    assert_true(finds(5000000, MEMORY_UNLIMITED));
    end();
}

/* A container's mount shows a part of the hierarchy; a path that isn't in it says nothing. */
static void test_mounts_of_a_part_of_the_hierarchy(void)
{
    begin();
    put("mountinfo", "30 20 0:26 /docker/abc %s/part rw - cgroup cgroup rw,memory\n");
    put("cgroup", "4:memory:/docker/abc/job\n");
    put("part/job/memory.limit_in_bytes", "6000000\n");
    put("part/memory.limit_in_bytes", "8000000\n");
    assert_true(finds(6000000, MEMORY_UNLIMITED));
    put("cgroup", "4:memory:/docker/abcdef/job\n");
    assert_true(finds(8000000, MEMORY_UNLIMITED));
    put("mountinfo", "30 20 0:26 / %s/part rw - cgroup2 cgroup2 rw\n");
    put("cgroup", "0::/../../elsewhere\n");
    put("part/memory.max", "7000000\n");
    put("memory.max", "1\n"); /* not above the mount */
    assert_true(finds(7000000, MEMORY_UNLIMITED));
    end();
}

/* Lines and files that make no sense are no limit, and end nothing. */
static void test_files_of_another_kind(void)
{
    static char words[100000];
    begin();
    memset(words, 'a', sizeof words - 1);
    put("mountinfo", words);
    put("cgroup", words);
    assert_true(finds(MEMORY_UNLIMITED, MEMORY_UNLIMITED));
    put("mountinfo", "\n - \n30\n30 20 0:26 / - cgroup2\n30 20 0:26 / %s/two rw - cgroup2\n"
                     "30 20 0:26 / %s/two rw - cgroup2 x y");
    put("cgroup", "\n:\n0:/\n0::/a");
    put("two/a/memory.max", "-5\n");
    put("two/a/memory.high", "");
    put("two/memory.max", "x7\n");
    assert_true(finds(MEMORY_UNLIMITED, MEMORY_UNLIMITED));
    put("two/a/memory.max", "4096");
    assert_true(finds(4096, MEMORY_UNLIMITED));
    memset(words, '/', sizeof words - 1);
    memcpy(words, "0::", 3);
    put("cgroup", words);
    assert_true(finds(MEMORY_UNLIMITED, MEMORY_UNLIMITED));
    end();
}

/* ---- what quire_start says ---------------------------------------------------------------------- */

static uint64_t told = MEMORY_UNLIMITED;

void __wrap_memory_limit_read(const char *groups, const char *mounts, struct memory_limit *limit);
void __wrap_memory_limit_read(const char *groups, const char *mounts, struct memory_limit *limit)
{
    assert_string_equal(groups, "/proc/self/cgroup");
    assert_string_equal(mounts, "/proc/self/mountinfo");
    *limit = (struct memory_limit){told, 4096};
}

static const char *why_of(size_t budget)
{
    struct quire_options options = {.budget = budget};
    OK(quire_start(&options));
    OK(quire_stop());
    return quire_why();
}

static void test_quire_start_warns_of_a_budget_beyond_the_limit(void)
{
    told = 4 * MIB;
    assert_non_null(strstr(why_of(4 * MIB), "memory cgroup"));
    assert_string_equal(why_of(4 * MIB - PAGE), "");
    assert_non_null(strstr(why_of(64 * MIB), "memory cgroup"));
    told = MEMORY_UNLIMITED;
    assert_string_equal(why_of(64 * MIB), "");
}

LINUX_MAIN(TEST_WITH(test_no_files_are_no_limit, .budget = 0),
           TEST_WITH(test_the_smallest_limit_of_the_groups_above, .budget = 0),
           TEST_WITH(test_limits_of_version_1, .budget = 0),
           TEST_WITH(test_mounts_of_a_part_of_the_hierarchy, .budget = 0),
           TEST_WITH(test_files_of_another_kind, .budget = 0),
           TEST_WITH(test_quire_start_warns_of_a_budget_beyond_the_limit, .budget = 0))
