/* SPDX-License-Identifier: MIT */
/* The tree of names: built from archives, walked by paths, taken down again without a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "archive.h"
#include "fs/fs.h"
#include "fs/ramfs.h"
#include "stubs.h"

#define FILE_MODE (S_IFREG | 0644)
#define DIRECTORY_MODE (S_IFDIR | 0755)
#define LINK_MODE (S_IFLNK | 0777)

static int start(void **state)
{
    (void)state;
    archive_clear();
    allocations_left = -1;
    log_lines = 0;
    return 0;
}

static void add_link(const char *name, const char *text)
{
    archive_add(name, LINK_MODE, text, strlen(text));
}

static void mount_good(void)
{
    const char *problem = NULL;
    archive_end();
    assert_int_equal(fs_mount(archive, used, &problem), 0);
}

/* Nothing may be left: no vnode, no memory, no word about files in use. */
static void unmount(void)
{
    fs_unmount();
    assert_null(fs_root);
    assert_int_equal(vnode_count(), 0);
    assert_int_equal(bytes_in_use, 0);
    assert_int_equal(log_lines, 0);
}

static void expect_mount_problem(const char *part)
{
    const char *problem = NULL;
    archive_end();
    assert_int_equal(fs_mount(archive, used, &problem), -EINVAL);
    assert_non_null(strstr(problem, part));
    unmount();
}

/* The size of what is there, which tells files from each other; or the errno. */
static int64_t lookup_from(struct vnode *start_at, const char *path, bool follow)
{
    struct vnode *vnode;
    int error = path_lookup(start_at, path, follow, &vnode);
    if (error != 0)
        return error;
    int64_t size = vnode->size;
    vnode_release(vnode);
    return size;
}

static int64_t lookup(const char *path)
{
    return lookup_from(fs_root, path, true);
}

static int place(const char *path, off_t size, const char *part)
{
    const char *problem = NULL;
    struct vnode *vnode = ramfs_create(FILE_MODE);
    vnode->size = size;
    int error = fs_place(path, vnode, &problem);
    assert_true((part == NULL) == (error == 0));
    if (part != NULL)
        assert_non_null(strstr(problem, part));
    vnode_release(vnode);
    return error;
}

static void test_place(void **state)
{
    (void)state;
    archive_add("a", DIRECTORY_MODE, "", 0);
    archive_add("a/file", FILE_MODE, "1", 1);
    mount_good();
    assert_int_equal(place("/a/b/new", 20, NULL), 0);
    assert_int_equal(lookup("/a/b/new"), 20);
    assert_int_equal(place("//a//file", 30, NULL), 0);
    assert_int_equal(lookup("/a/file"), 30);
    assert_int_equal(place("/dev/null", 40, NULL), 0);
    assert_int_equal(lookup("/dev/null"), 40);
    assert_int_equal(place("/a/b", 1, "name of a directory"), -EINVAL);
    assert_int_equal(place("/", 1, "name of a directory"), -EINVAL);
    assert_int_equal(place("/a/file/in", 1, "not a directory"), -EINVAL);
    assert_int_equal(place("/proc/x", 1, "not a directory"), -EINVAL);
    assert_int_equal(lookup("/a/file"), 30);
    unmount();
}

static void test_paths(void **state)
{
    struct vnode *directory;
    (void)state;
    archive_add("a", DIRECTORY_MODE, "", 0);
    archive_add("a/b", DIRECTORY_MODE, "", 0);
    archive_add("a/b/one", FILE_MODE, "1", 1);
    archive_add("two", FILE_MODE, "22", 2);
    mount_good();
    assert_int_equal(lookup("/a/b/one"), 1);
    assert_int_equal(lookup("a/b/one"), 1);
    assert_int_equal(lookup("//a///b//one"), 1);
    assert_int_equal(lookup("/./a/./b/../b/one"), 1);
    assert_int_equal(lookup("/../../two"), 2);
    assert_int_equal(lookup("/a/../two"), 2);
    assert_int_equal(lookup("/"), 0);
    assert_int_equal(lookup("/a/b/"), 0);
    assert_int_equal(lookup(""), -ENOENT);
    assert_int_equal(lookup("/none"), -ENOENT);
    assert_int_equal(lookup("/none/two"), -ENOENT);
    assert_int_equal(lookup("/two/"), -ENOTDIR);
    assert_int_equal(lookup("/two/x"), -ENOTDIR);
    assert_int_equal(lookup("/two/.."), -ENOTDIR);
    assert_int_equal(path_lookup(fs_root, "a/b", true, &directory), 0);
    assert_int_equal(lookup_from(directory, "one", true), 1);
    assert_int_equal(lookup_from(directory, "../../two", true), 2);
    vnode_release(directory);
    unmount();
}

static void test_long_paths(void **state)
{
    static char path[PATH_MAX + 8];
    (void)state;
    archive_add("f", FILE_MODE, "1", 1);
    mount_good();
    memset(path, '/', sizeof(path));
    strcpy(path + PATH_MAX - 2, "f");
    assert_int_equal(lookup(path), 1);
    memset(path, '/', sizeof(path));
    strcpy(path + PATH_MAX - 1, "f");
    assert_int_equal(lookup(path), -ENAMETOOLONG);
    memset(path, 'n', 256);
    path[256] = '\0';
    assert_int_equal(lookup(path), -ENAMETOOLONG);
    path[255] = '\0';
    assert_int_equal(lookup(path), -ENOENT);
    unmount();
}

static void test_links(void **state)
{
    (void)state;
    archive_add("d", DIRECTORY_MODE, "", 0);
    archive_add("d/one", FILE_MODE, "1", 1);
    add_link("absolute", "/d/one");
    add_link("d/relative", "one");
    add_link("up", "d/../d");
    add_link("slash", "d/");
    add_link("dangling", "nowhere");
    add_link("self", "self");
    add_link("ping", "pong");
    add_link("pong", "/ping");
    mount_good();
    assert_int_equal(lookup("/absolute"), 1);
    assert_int_equal(lookup("/d/relative"), 1);
    assert_int_equal(lookup("/up/one"), 1);
    assert_int_equal(lookup("/slash/one"), 1);
    assert_int_equal(lookup("/absolute/"), -ENOTDIR);
    assert_int_equal(lookup("/dangling"), -ENOENT);
    assert_int_equal(lookup("/self"), -ELOOP);
    assert_int_equal(lookup("/self/x"), -ELOOP);
    assert_int_equal(lookup("/ping"), -ELOOP);
    assert_int_equal(lookup_from(fs_root, "/self", false), 4);
    assert_int_equal(lookup_from(fs_root, "/dangling", false), 7);
    assert_int_equal(lookup_from(fs_root, "/up/", false), 0);
    unmount();
}

static void test_chain_of_links(void **state)
{
    char name[16], text[16];
    (void)state;
    archive_add("end", FILE_MODE, "1", 1);
    add_link("l1", "end");
    for (int i = 2; i <= PATH_MAX_LINKS + 1; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        snprintf(text, sizeof(text), "l%d", i - 1);
        add_link(name, text);
    }
    mount_good();
    snprintf(name, sizeof(name), "l%d", PATH_MAX_LINKS);
    assert_int_equal(lookup(name), 1);
    snprintf(name, sizeof(name), "l%d", PATH_MAX_LINKS + 1);
    assert_int_equal(lookup(name), -ELOOP);
    unmount();
}

/* A link doubles the rest of the path at every step. */
static void test_links_that_grow(void **state)
{
    static char text[4000];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    for (size_t i = 1; i < sizeof(text) - 1; i += 2)
        text[i] = '/';
    memcpy(text, "grow/", 5);
    add_link("grow", text);
    mount_good();
    assert_int_equal(lookup("/grow"), -ENAMETOOLONG);
    unmount();
}

static void test_open(void **state)
{
    struct file *file;
    (void)state;
    archive_add("d", DIRECTORY_MODE, "", 0);
    archive_add("f", FILE_MODE, "1", 1);
    add_link("new", "d/made");
    mount_good();
    assert_int_equal(path_open(fs_root, "none", O_RDONLY, 0, &file), -ENOENT);
    assert_int_equal(path_open(fs_root, "d", O_WRONLY, 0, &file), -EISDIR);
    assert_int_equal(path_open(fs_root, "f", O_DIRECTORY, 0, &file), -ENOTDIR);
    assert_int_equal(path_open(fs_root, "f", O_CREAT | O_EXCL, 0, &file), -EEXIST);
    assert_int_equal(path_open(fs_root, "new", O_CREAT | O_EXCL, 0, &file), -EEXIST);
    assert_int_equal(path_open(fs_root, "new", O_NOFOLLOW, 0, &file), -ELOOP);
    assert_int_equal(path_open(fs_root, "fresh/", O_CREAT, 0644, &file), -EISDIR);
    assert_int_equal(path_open(fs_root, "none/fresh", O_CREAT, 0644, &file), -ENOENT);
    assert_int_equal(path_open(fs_root, "new", O_CREAT | O_RDWR, 0640, &file), 0);
    assert_int_equal(file->vnode->mode, S_IFREG | 0640);
    file_release(file);
    assert_int_equal(lookup("/d/made"), 0);
    assert_int_equal(path_open(fs_root, "f", O_TRUNC | O_WRONLY, 0, &file), 0);
    assert_false(file_readable(file));
    assert_true(file_writable(file));
    file_release(file);
    unmount();
}

/* A file without a name lives as long as it is open, and its cache keeps it no longer. */
static void test_unlinked_file(void **state)
{
    struct file *file;
    (void)state;
    archive_add("f", FILE_MODE, "1", 1);
    mount_good();
    unsigned before = vnode_count();
    assert_int_equal(path_open(fs_root, "f", O_RDWR, 0, &file), 0);
    assert_int_equal(vnode_prepare_mapping(file->vnode), 0);
    mutex_lock(&namespace_lock);
    ramfs_remove(ramfs_find(fs_root, "f", 1));
    mutex_unlock(&namespace_lock);
    assert_int_equal(lookup("/f"), -ENOENT);
    vnode_reap();
    assert_int_equal(vnode_count(), before);
    file_release(file);
    vnode_reap();
    assert_int_equal(vnode_count(), before - 1);
    unmount();
}

static void test_file_in_use_is_reported(void **state)
{
    struct file *file;
    (void)state;
    archive_add("f", FILE_MODE, "1", 1);
    mount_good();
    assert_int_equal(path_open(fs_root, "f", O_RDWR, 0, &file), 0);
    fs_unmount();
    assert_int_equal(log_lines, 1);
    file_release(file);
    assert_int_equal(vnode_count(), 0);
    assert_int_equal(bytes_in_use, 0);
}

static void test_hard_links(void **state)
{
    struct vnode *one, *two;
    (void)state;
    archive_add_named("one", FILE_MODE, "", 0, 9, 2);
    archive_add_named("two", FILE_MODE, "data", 4, 9, 2);
    archive_add_named("other", FILE_MODE, "x", 1, 10, 2);
    mount_good();
    assert_int_equal(path_lookup(fs_root, "one", true, &one), 0);
    assert_int_equal(path_lookup(fs_root, "two", true, &two), 0);
    assert_ptr_equal(one, two);
    assert_int_equal(one->size, 4);
    assert_int_equal(one->link_count, 2);
    assert_int_equal(lookup("other"), 1);
    vnode_release(one);
    vnode_release(two);
    unmount();
}

static void test_missing_directories_are_made(void **state)
{
    (void)state;
    archive_add("deep/er/file", FILE_MODE, "1", 1);
    archive_add("deep", S_IFDIR | 0700, "", 0);
    archive_add("twice", FILE_MODE, "1", 1);
    archive_add("twice", FILE_MODE, "22", 2);
    mount_good();
    assert_int_equal(lookup("/deep/er/file"), 1);
    assert_int_equal(lookup("/twice"), 2);
    assert_int_equal(lookup("/tmp"), 0);
    assert_int_equal(lookup("/dev/null"), 0);
    unmount();
}

static void test_broken_trees(void **state)
{
    (void)state;
    archive_add("f", FILE_MODE, "1", 1);
    archive_add("f/below", FILE_MODE, "1", 1);
    expect_mount_problem("not a directory");
    start(NULL);
    archive_add("d/f", FILE_MODE, "1", 1);
    archive_add("d", FILE_MODE, "1", 1);
    expect_mount_problem("name of a directory");
    start(NULL);
    archive_add("l", LINK_MODE, "", 0);
    expect_mount_problem("symbolic link");
    start(NULL);
    archive_add("l", LINK_MODE, "a\0b", 3);
    expect_mount_problem("symbolic link");
    start(NULL);
    archive_add("proc/x", FILE_MODE, "1", 1);
    expect_mount_problem("/proc");
    start(NULL);
    archive_add("dev", FILE_MODE, "1", 1);
    expect_mount_problem("not a directory");
    start(NULL);
    add_link("d", "/tmp");
    archive_add("d/f", FILE_MODE, "1", 1);
    expect_mount_problem("not a directory");
}

/* Memory that runs out at any point of a mount is ENOMEM, and nothing is left of it. */
static void test_no_memory(void **state)
{
    const char *problem;
    int error;
    (void)state;
    archive_add("a/b/c", FILE_MODE, "1", 1);
    archive_add_named("one", FILE_MODE, "", 0, 9, 2);
    archive_add_named("two", FILE_MODE, "data", 4, 9, 2);
    add_link("l", "a");
    archive_end();
    for (long limit = 0; limit < 1000; limit++) {
        allocations_left = limit;
        error = fs_mount(archive, used, &problem);
        allocations_left = -1;
        unmount();
        if (error == 0)
            return;
        assert_int_equal(error, -ENOMEM);
    }
    fail();
}

static void test_no_memory_for_a_walk(void **state)
{
    (void)state;
    archive_add("f", FILE_MODE, "1", 1);
    add_link("l", "k");
    add_link("k", "f");
    mount_good();
    for (long limit = 0; limit < 2; limit++) {
        allocations_left = limit;
        assert_int_equal(lookup("/l"), -ENOMEM);
    }
    allocations_left = -1;
    assert_int_equal(lookup("/l"), 1);
    unmount();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_place, start),
        cmocka_unit_test_setup(test_paths, start),
        cmocka_unit_test_setup(test_long_paths, start),
        cmocka_unit_test_setup(test_links, start),
        cmocka_unit_test_setup(test_chain_of_links, start),
        cmocka_unit_test_setup(test_links_that_grow, start),
        cmocka_unit_test_setup(test_open, start),
        cmocka_unit_test_setup(test_unlinked_file, start),
        cmocka_unit_test_setup(test_file_in_use_is_reported, start),
        cmocka_unit_test_setup(test_hard_links, start),
        cmocka_unit_test_setup(test_missing_directories_are_made, start),
        cmocka_unit_test_setup(test_broken_trees, start),
        cmocka_unit_test_setup(test_no_memory, start),
        cmocka_unit_test_setup(test_no_memory_for_a_walk, start),
    };
    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
