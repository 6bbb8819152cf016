/* SPDX-License-Identifier: MIT */
/* The user_vm_* calls from a program: what they do, and what they refuse. There is no Linux to compare
 * with, so it checks by itself: "ok NAME" or "failed NAME: ..." for each. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "quire_syscalls.h"

#define PAGE VM_PAGE_SIZE
#define KERNEL_POINTER ((void *)0xffff800000001000)
#define NON_CANONICAL ((void *)0x8000000000000000)

static int failures;

static long create_simple(void **address, size_t size)
{
    return quire_create_anonymous_region("simple", address, REGION_ADDR_ANY_ADDRESS, size,
                                         REGION_WIRING_LAZY, LOCK_RW);
}

static long clone_region(void **address, region_id source, int mapping)
{
    return quire_clone_region("clone", address, REGION_ADDR_ANY_ADDRESS, source, mapping, LOCK_RW);
}

static long map_file(void **address, const char *path, int mapping, unsigned lock)
{
    return quire_map_file("file", address, REGION_ADDR_ANY_ADDRESS, 2 * PAGE, lock, mapping, path,
                          0);
}

static void expect(const char *name, long got, long expected)
{
    if (got == expected)
        printf("ok %s\n", name);
    else
        printf("failed %s: %ld, expected %ld\n", name, got, expected);
    failures += got != expected;
    fflush(stdout);
}

static void expect_that(const char *name, bool good)
{
    expect(name, good, true);
}

/* ---- what they do ---- */

static void life_of_a_region(void)
{
    void *address = NULL;
    vm_region_info info;
    long id = create_simple(&address, 3 * PAGE);
    expect_that("create", id > 0);
    expect_that("its address is a page's", address != NULL && (addr_t)address % PAGE == 0);
    memset(address, 7, 3 * PAGE);
    expect("its information", quire_get_region_info(id, &info), VM_OK);
    expect_that("is that of the region", info.id == id && info.base == (addr_t)address &&
                                             info.size == 3 * PAGE &&
                                             strcmp(info.name, "simple") == 0);
    expect("its pages are there", (long)info.resident_pages, 3);
    expect("delete", quire_delete_region(id), VM_OK);
    expect("delete twice", quire_delete_region(id), ERR_VM_INVALID_REGION);
    expect("information of what has gone", quire_get_region_info(id, &info), ERR_VM_INVALID_REGION);
}

static void clones(void)
{
    uint8_t *one = NULL, *two = NULL, *three = NULL;
    long id = create_simple((void **)&one, PAGE);
    one[0] = 1;
    long shared = clone_region((void **)&two, id, REGION_NO_PRIVATE_MAP);
    long private = clone_region((void **)&three, id, REGION_PRIVATE_MAP);
    expect_that("clone", shared > 0 && two != one);
    expect_that("clone privately", private > 0);
    expect_that("both see the page", two[0] == 1 && three[0] == 1);
    two[0] = 2;
    three[1] = 3;
    expect_that("the shared one writes to it", one[0] == 2);
    expect_that("the private one doesn't", one[1] == 0 && three[1] == 3);
    expect("delete the source", quire_delete_region(id), VM_OK);
    expect_that("the clone lives on", two[0] == 2);
    expect_that("delete the clones",
                quire_delete_region(shared) == VM_OK && quire_delete_region(private) == VM_OK);
}

/* ---- what they refuse ---- */

static void bad_pointers(void)
{
    void *bad[] = {NULL, (void *)8, KERNEL_POINTER, NON_CANONICAL, (void *)-1};
    void *address = NULL;
    long id = create_simple(&address, PAGE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        void *where = NULL;
        expect("create, bad name",
               quire_create_anonymous_region(bad[i], &where, REGION_ADDR_ANY_ADDRESS, PAGE,
                                             REGION_WIRING_LAZY, LOCK_RW),
               ERR_VM_BAD_USER_MEMORY);
        expect("create, bad address", create_simple(bad[i], PAGE), ERR_VM_BAD_USER_MEMORY);
        expect("clone, bad address", clone_region(bad[i], id, REGION_NO_PRIVATE_MAP),
               ERR_VM_BAD_USER_MEMORY);
        expect("region information, bad pointer", quire_get_region_info(id, bad[i]),
               ERR_VM_BAD_USER_MEMORY);
        expect("vm information, bad pointer", quire_get_vm_info(bad[i]), ERR_VM_BAD_USER_MEMORY);
    }
    void **read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect("create, address in read-only memory", create_simple(read_only, PAGE),
           ERR_VM_BAD_USER_MEMORY);
    expect("delete", quire_delete_region(id), VM_OK);
}

static void files(void)
{
    static const char path[] = "/tmp/mapped";
    uint8_t *private = NULL, *shared = NULL;
    void *where = NULL;
    FILE *file = fopen(path, "w");
    expect_that("a file", file != NULL && fputs("contents", file) >= 0 && fclose(file) == 0);
    long one = map_file((void **)&private, path, REGION_PRIVATE_MAP, LOCK_RW);
    long two = map_file((void **)&shared, path, REGION_NO_PRIVATE_MAP, LOCK_RW);
    expect_that("map a file", one > 0 && two > 0);
    expect_that("its bytes", memcmp(private, "contents", 9) == 0);
    private[0] = 'C';
    expect_that("a private write", shared[0] == 'c');
    shared[7] = 'S';
    file = fopen(path, "r");
    expect_that("a shared write", file != NULL && fseek(file, 7, SEEK_SET) == 0 &&
                                      fgetc(file) == 'S' && fclose(file) == 0);
    expect("no such file", map_file(&where, "/is/not/there", REGION_PRIVATE_MAP, LOCK_RO),
           ERR_NOT_FOUND);
    expect("a directory", map_file(&where, "/tmp", REGION_PRIVATE_MAP, LOCK_RO), ERR_INVALID_ARGS);
    expect("an empty path", map_file(&where, "", REGION_PRIVATE_MAP, LOCK_RO), ERR_NOT_FOUND);
    expect("an unknown mapping", map_file(&where, path, 77, LOCK_RO), ERR_INVALID_ARGS);
    expect("a bad path", map_file(&where, KERNEL_POINTER, REGION_PRIVATE_MAP, LOCK_RO),
           ERR_VM_BAD_USER_MEMORY);
    expect("a bad address", map_file(KERNEL_POINTER, path, REGION_PRIVATE_MAP, LOCK_RO),
           ERR_VM_BAD_USER_MEMORY);
    expect("bad arguments in memory",
           quire_call(QUIRE_MAP_FILE, (uintptr_t)path, (uintptr_t)&where, 0, PAGE, LOCK_RO,
                      (uintptr_t)KERNEL_POINTER),
           ERR_VM_BAD_USER_MEMORY);
    expect_that("delete them",
                quire_delete_region(one) == VM_OK && quire_delete_region(two) == VM_OK);
}

static void bad_ids(void)
{
    vm_region_info info;
    static const region_id ids[] = {0, -1, INT64_MIN, INT64_MAX, INT_MAX, 999999999};
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        void *where = NULL;
        expect("delete what never was", quire_delete_region(ids[i]), ERR_VM_INVALID_REGION);
        expect("information of what never was", quire_get_region_info(ids[i], &info),
               ERR_VM_INVALID_REGION);
        expect("clone what never was", clone_region(&where, ids[i], REGION_NO_PRIVATE_MAP),
               ERR_VM_INVALID_REGION);
    }
    /* The first regions there were are the kernel's. */
    bool refused = true;
    for (int id = 1; id <= 3; id++)
        refused = refused && quire_delete_region(id) == ERR_VM_INVALID_REGION;
    expect_that("the kernel's regions", refused);
}

static void ids_of_others(void)
{
    int ends[2];
    long id = 0;
    void *where = NULL;
    if (pipe(ends) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        id = create_simple(&where, PAGE);
        expect_that("the child creates", id > 0 && write(ends[1], &id, sizeof(id)) > 0);
        pause();
    }
    expect_that("its id", read(ends[0], &id, sizeof(id)) == sizeof(id));
    vm_region_info info;
    expect("delete another's", quire_delete_region(id), ERR_VM_INVALID_REGION);
    expect("information of another's", quire_get_region_info(id, &info), ERR_VM_INVALID_REGION);
    expect_that("clone another's", clone_region(&where, id, REGION_NO_PRIVATE_MAP) < 0);
    kill(child, 9);
    waitpid(child, NULL, 0);
    expect("delete a dead one's", quire_delete_region(id), ERR_VM_INVALID_REGION);
}

static long create_with(void *address, int type, size_t size, int wiring, unsigned lock)
{
    long id = quire_create_anonymous_region("with", &address, type, size, wiring, lock);
    return id > 0 ? quire_delete_region(id) : id;
}

static void bad_values(void)
{
    int any = REGION_ADDR_ANY_ADDRESS, exact = REGION_ADDR_EXACT_ADDRESS, lazy = REGION_WIRING_LAZY;
    uint8_t *taken = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect("a good one", create_with(NULL, any, PAGE, lazy, LOCK_RW), VM_OK);
    expect("size 0", create_with(NULL, any, 0, lazy, LOCK_RW), ERR_INVALID_ARGS);
    expect_that("size -1", create_with(NULL, any, (size_t)-1, lazy, LOCK_RW) < 0);
    expect_that("size 2^63", create_with(NULL, any, (size_t)1 << 63, lazy, LOCK_RW) < 0);
    expect("more than memory", create_with(NULL, any, (size_t)1 << 40, lazy, LOCK_RW),
           ERR_VM_WOULD_OVERCOMMIT);
    expect("unknown address type", create_with(NULL, 77, PAGE, lazy, LOCK_RW), ERR_INVALID_ARGS);
    expect("unknown wiring", create_with(NULL, any, PAGE, 77, LOCK_RW), ERR_INVALID_ARGS);
    expect("unknown lock", create_with(NULL, any, PAGE, lazy, 0x8000), ERR_INVALID_ARGS);
    expect("the kernel's lock", create_with(NULL, any, PAGE, lazy, LOCK_RW | LOCK_KERNEL),
           ERR_PERMISSION_DENIED);
    expect("wired already", create_with(taken, exact, PAGE, REGION_WIRING_WIRED_ALREADY, LOCK_RW),
           ERR_PERMISSION_DENIED);
    expect("contiguous", create_with(NULL, any, PAGE, REGION_WIRING_WIRED_CONTIG, LOCK_RW),
           ERR_PERMISSION_DENIED);
    expect("unaligned", create_with((void *)0x10000001, exact, PAGE, lazy, LOCK_RW),
           ERR_VM_BAD_ADDRESS);
    expect("address 0", create_with(NULL, exact, PAGE, lazy, LOCK_RW), ERR_VM_BAD_ADDRESS);
    expect("in the kernel", create_with(KERNEL_POINTER, exact, PAGE, lazy, LOCK_RW),
           ERR_VM_BAD_ADDRESS);
    expect("wrapping", create_with((void *)-PAGE, exact, 2 * PAGE, lazy, LOCK_RW),
           ERR_VM_BAD_ADDRESS);
    expect("taken", create_with(taken, exact, PAGE, lazy, LOCK_RW), ERR_VM_NO_REGION_SLOT);
}

static void figures(void)
{
    vm_info info;
    memset(&info, 0, sizeof(info));
    expect("vm information", quire_get_vm_info(&info), VM_OK);
    expect_that("page size", info.physical_page_size == PAGE);
    expect_that("faults and pages", info.page_faults > 0 && info.physical_pages > info.free_pages);
    expect_that("an unknown call", quire_call(1999, 0, 0, 0, 0, 0, 0) == -38);
}

int main(void)
{
    life_of_a_region();
    clones();
    bad_pointers();
    files();
    bad_ids();
    ids_of_others();
    bad_values();
    figures();
    return failures != 0;
}
