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

#include <quire/vm.h>

enum { CALL_CREATE = 1000, CALL_CLONE, CALL_MAP_FILE, CALL_DELETE, CALL_REGION_INFO, CALL_VM_INFO };

#define PAGE VM_PAGE_SIZE
#define KERNEL_POINTER ((void *)0xffff800000001000)
#define NON_CANONICAL ((void *)0x8000000000000000)

static int failures;

/* The call's own value: Linux's wrapper would turn errors into -1. */
static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}

static long create(const char *name, void **address, int type, size_t size, int wiring,
                   unsigned lock)
{
    return (int)call6(CALL_CREATE, (long)name, (long)address, type, (long)size, wiring, lock);
}

static long delete (long id)
{
    return (int)call6(CALL_DELETE, id, 0, 0, 0, 0, 0);
}

static long clone_region(void **address, int type, long source, int mapping, unsigned lock)
{
    return (int)call6(CALL_CLONE, (long)"clone", (long)address, type, source, mapping, lock);
}

static long info_of(long id, void *information)
{
    return (int)call6(CALL_REGION_INFO, id, (long)information, 0, 0, 0, 0);
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

static long create_simple(void **address, size_t size)
{
    return create("simple", address, REGION_ADDR_ANY_ADDRESS, size, REGION_WIRING_LAZY, LOCK_RW);
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
    expect("its information", info_of(id, &info), VM_OK);
    expect_that("is that of the region", info.id == id && info.base == (addr_t)address &&
                                             info.size == 3 * PAGE &&
                                             strcmp(info.name, "simple") == 0);
    expect("its pages are there", (long)info.resident_pages, 3);
    expect("delete", delete (id), VM_OK);
    expect("delete twice", delete (id), ERR_VM_INVALID_REGION);
    expect("information of what has gone", info_of(id, &info), ERR_VM_INVALID_REGION);
}

static void clones(void)
{
    uint8_t *one = NULL, *two = NULL, *three = NULL;
    long id = create_simple((void **)&one, PAGE);
    one[0] = 1;
    long shared =
        clone_region((void **)&two, REGION_ADDR_ANY_ADDRESS, id, REGION_NO_PRIVATE_MAP, LOCK_RW);
    long private =
        clone_region((void **)&three, REGION_ADDR_ANY_ADDRESS, id, REGION_PRIVATE_MAP, LOCK_RW);
    expect_that("clone", shared > 0 && two != one);
    expect_that("clone privately", private > 0);
    expect_that("both see the page", two[0] == 1 && three[0] == 1);
    two[0] = 2;
    three[1] = 3;
    expect_that("the shared one writes to it", one[0] == 2);
    expect_that("the private one doesn't", one[1] == 0 && three[1] == 3);
    expect("delete the source", delete (id), VM_OK);
    expect_that("the clone lives on", two[0] == 2);
    expect_that("delete the clones", delete (shared) == VM_OK && delete (private) == VM_OK);
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
               create(bad[i], &where, REGION_ADDR_ANY_ADDRESS, PAGE, REGION_WIRING_LAZY, LOCK_RW),
               ERR_VM_BAD_USER_MEMORY);
        expect("create, bad address", create_simple(bad[i], PAGE), ERR_VM_BAD_USER_MEMORY);
        expect("clone, bad address",
               clone_region(bad[i], REGION_ADDR_ANY_ADDRESS, id, REGION_NO_PRIVATE_MAP, LOCK_RW),
               ERR_VM_BAD_USER_MEMORY);
        expect("region information, bad pointer", info_of(id, bad[i]), ERR_VM_BAD_USER_MEMORY);
        expect("vm information, bad pointer", (int)call6(CALL_VM_INFO, (long)bad[i], 0, 0, 0, 0, 0),
               ERR_VM_BAD_USER_MEMORY);
    }
    void **read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect("create, address in read-only memory", create_simple(read_only, PAGE),
           ERR_VM_BAD_USER_MEMORY);
    expect("delete", delete (id), VM_OK);
}

static void bad_ids(void)
{
    vm_region_info info;
    static const long ids[] = {0, -1, INT_MIN, INT_MAX, 999999};
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        void *where = NULL;
        expect("delete what never was", delete (ids[i]), ERR_VM_INVALID_REGION);
        expect("information of what never was", info_of(ids[i], &info), ERR_VM_INVALID_REGION);
        expect(
            "clone what never was",
            clone_region(&where, REGION_ADDR_ANY_ADDRESS, ids[i], REGION_NO_PRIVATE_MAP, LOCK_RW),
            ERR_VM_INVALID_REGION);
    }
    /* The first regions there were are the kernel's. */
    bool refused = true;
    for (int id = 1; id <= 3; id++)
        refused = refused && delete (id) == ERR_VM_INVALID_REGION;
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
    expect("delete another's", delete (id), ERR_VM_INVALID_REGION);
    expect("information of another's", info_of(id, &info), ERR_VM_INVALID_REGION);
    expect_that("clone another's", clone_region(&where, REGION_ADDR_ANY_ADDRESS, id,
                                                REGION_NO_PRIVATE_MAP, LOCK_RW) < 0);
    kill(child, 9);
    waitpid(child, NULL, 0);
    expect("delete a dead one's", delete (id), ERR_VM_INVALID_REGION);
}

static long create_with(void *address, int type, size_t size, int wiring, unsigned lock)
{
    long id = create("with", &address, type, size, wiring, lock);
    return id > 0 ? delete (id) : id;
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
    expect("vm information", (int)call6(CALL_VM_INFO, (long)&info, 0, 0, 0, 0, 0), VM_OK);
    expect_that("page size", info.physical_page_size == PAGE);
    expect_that("faults and pages", info.page_faults > 0 && info.physical_pages > info.free_pages);
    expect_that("an unknown call", call6(1999, 0, 0, 0, 0, 0, 0) == -38);
}

int main(void)
{
    life_of_a_region();
    clones();
    bad_pointers();
    bad_ids();
    ids_of_others();
    bad_values();
    figures();
    return failures != 0;
}
