/* SPDX-License-Identifier: MIT */
/* VSPACE mode: what libquire adds to vspace.h, whose own tests are in tests/vspace/. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <quire/vspace.h>

#define RW VREGION_FLAGS_READ_WRITE
#define BASE ((addr_t)0x200000000000)
#define GIB ((size_t)1 << 30)

static struct memobj_anon object;
static struct vregion regions[2];
static struct capref frame;

static void good(errval_t error)
{
    if (err_is_fail(error))
        fail_msg("%s", err_getcode(error));
}

/* An object of so many pages, the first of which are those of a new frame, in a vregion. */
static unsigned char *begin(size_t pages, size_t filled)
{
    good(vspace_current_init(true));
    good(memobj_create_anon(&object, pages * PAGE, 0));
    if (filled > 0) {
        good(frame_alloc(&frame, filled * PAGE, NULL));
        good(object.m.f.fill(&object.m, 0, frame, 0));
    }
    good(vregion_map(&regions[0], get_current_vspace(), &object.m, 0, pages * PAGE, RW));
    return (unsigned char *)vregion_get_base_addr(&regions[0]);
}

static void end(void)
{
    good(memobj_destroy_anon(&object.m, true));
    good(vspace_destroy(get_current_vspace()));
}

/* ---- starting ---- */

static int start_in(void *base, size_t range)
{
    struct quire_options options = {
        .budget = 2 * MIB, .mode = QUIRE_MODE_VSPACE, .base = base, .range = range};
    return quire_start(&options);
}

static void test_quire_start_range_errors(void)
{
    assert_int_equal(start_in((void *)BASE, 0), ERR_INVALID_ARGS);
    assert_int_equal(start_in(NULL, GIB), ERR_INVALID_ARGS);
    assert_int_equal(start_in((void *)(BASE + PAGE), GIB), ERR_INVALID_ARGS);
    assert_int_equal(start_in((void *)BASE, GIB + PAGE), ERR_INVALID_ARGS);
    assert_int_equal(start_in((void *)(UINTPTR_MAX - 2 * MIB + 1), 2 * MIB), ERR_INVALID_ARGS);
    assert_int_equal(start_in((void *)((addr_t)1 << 47), GIB), ERR_INVALID_ARGS);
    assert_int_equal(start_in((void *)(((addr_t)1 << 47) - GIB / 2), GIB), ERR_INVALID_ARGS);
    void *taken = mmap((void *)(BASE + GIB / 2), PAGE, PROT_READ,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_int_equal(taken, BASE + GIB / 2);
    assert_int_equal(start_in((void *)BASE, GIB), ERR_VM_NO_REGION_SLOT);
    munmap(taken, PAGE);
    OK(start_in((void *)BASE, GIB));
}

static void test_quire_start_range(void)
{
    OK(start_in((void *)BASE, GIB));
    assert_int_equal(quire_mode(), QUIRE_MODE_VSPACE);
    assert_ptr_equal(begin(1, 1), BASE);
    *(volatile char *)BASE = 1;
    struct vregion last = {.base = BASE + GIB - PAGE, .size = PAGE};
    good(vspace_add_vregion(get_current_vspace(), &last));
    struct vregion beyond = {.base = BASE + GIB, .size = PAGE};
    assert_int_equal(err_no(vspace_add_vregion(get_current_vspace(), &beyond)),
                     QUIRE_ERR_BAD_ADDRESS);
    end();
}

static void test_quire_start_range_of_regions(void)
{
    struct quire_options options = {.budget = 2 * MIB, .base = (void *)BASE, .range = GIB};
    OK(quire_start(&options));
    volatile unsigned char *at = map_memory(1);
    assert_int_equal(at, BASE);
    at[0] = 1;
    OK(quire_unmap((void *)at));
}

/* Where the program has no say in faults it has no vspace. */
static void test_vspace_current_init_in_other_modes(void)
{
    assert_int_equal(err_no(vspace_current_init(true)), LIB_ERR_PMAP_CURRENT_INIT);
    assert_null(get_current_vspace());
}

static void test_regions_in_vspace_mode(void)
{
    void *at;
    struct quire_mapping mapping = {.size = PAGE};
    struct test_store *swap = swap_create(16);
    assert_int_equal(quire_map(&mapping, &at), ERR_UNSUPPORTED);
    assert_int_equal(quire_add_swap(&swap->store, 16, "swap"), ERR_UNSUPPORTED);
    store_free(swap);
    unsigned char *data = begin(1, 1);
    assert_int_equal(quire_unmap(data), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_snapshot(data, &at), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_populate(data, PAGE, true), ERR_VM_INVALID_REGION);
    end();
}

static void test_quire_stop_with_a_vspace(void)
{
    (void)begin(1, 1);
    assert_int_equal(quire_stop(), ERR_VM_GENERAL);
}

/* ---- frames ---- */

/* An object in two vregions, and the window: the same bytes, whoever writes. */
static void test_a_frame_at_several_addresses(void)
{
    addr_t window;
    volatile unsigned char *one = begin(4, 4), *two;
    good(vregion_map(&regions[1], get_current_vspace(), &object.m, 0, 4 * PAGE, RW));
    two = (unsigned char *)vregion_get_base_addr(&regions[1]);
    OK(vm_get_physical_page(frame.base, &window, PHYSICAL_PAGE_CAN_WAIT));
    volatile unsigned char *memory = (unsigned char *)window;
    for (size_t i = 0; i < 4 * PAGE; i += 1000) {
        one[i] = 1;
        assert_true(two[i] == 1 && memory[i] == 1);
        two[i] = 2;
        assert_true(one[i] == 2 && memory[i] == 2);
        memory[i] = 3;
        assert_true(one[i] == 3 && two[i] == 3);
    }
    OK(vm_put_physical_page(window));
    end();
}

/* What one vregion loses, and what it may no longer do, the other keeps. */
static void test_rights_at_several_addresses(void)
{
    volatile unsigned char *one = begin(2, 2), *two;
    good(vregion_map(&regions[1], get_current_vspace(), &object.m, 0, 2 * PAGE, RW));
    two = (unsigned char *)vregion_get_base_addr(&regions[1]);
    one[0] = one[PAGE] = two[0] = two[PAGE] = 1;
    good(object.m.f.protect(&object.m, &regions[0], 0, PAGE, VREGION_FLAGS_READ));
    assert_int_equal(caught_write(&one[0]), SIGSEGV);
    assert_ptr_equal(caught_at, &one[0]);
    assert_int_equal(one[0], 1);
    one[PAGE] = 2;
    two[0] = 3;
    assert_int_equal(one[0], 3);
    good(vregion_destroy(&regions[0]));
    assert_int_equal(caught_read(&one[PAGE]), SIGSEGV);
    assert_int_equal(two[PAGE], 2);
    end();
}

/* A frame that is taken out of 1000 pages at once, and one that follows it there. */
static void test_long_ranges_are_hidden(void)
{
    struct capref out, other;
    volatile unsigned char *data = begin(1000, 1000);
    for (size_t i = 0; i < 1000; i++)
        data[i * PAGE] = (unsigned char)i;
    good(object.m.f.unfill(&object.m, 0, &out, NULL));
    for (size_t i = 0; i < 1000; i += 37)
        assert_int_equal(caught_read(&data[i * PAGE]), SIGSEGV);
    good(frame_alloc(&other, 500 * PAGE, NULL));
    good(object.m.f.fill(&object.m, 0, other, 0));
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(data[i * PAGE], 0);
    assert_int_equal(caught_read(&data[500 * PAGE]), SIGSEGV);
    good(cap_destroy(out));
    end();
}

static size_t mappings_of_linux(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    size_t lines = 0;
    for (int c; (c = fgetc(maps)) != EOF;)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

/* More pages than Linux lets a process have mappings, none of which lies in a row with its neighbours. */
static void test_more_pages_than_are_shown(void)
{
    enum { MANY = 40000, SEVERAL = 7 };
    volatile unsigned char *data = begin(MANY, 0);
    good(frame_alloc(&frame, SEVERAL * PAGE, NULL));
    for (size_t i = 0; i < MANY; i++)
        good(object.m.f.fill_foff(&object.m, i * PAGE, frame, PAGE, i * 5 % SEVERAL * PAGE));
    for (size_t i = 0; i < MANY; i++)
        data[i * PAGE + i * 5 % SEVERAL] = (unsigned char)(i * 5 % SEVERAL);
    assert_in_range(mappings_of_linux(), 16384, 2 * 16384 + 500);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(data[i * PAGE + i * 5 % SEVERAL], i * 5 % SEVERAL);
    end();
    assert_true(mappings_of_linux() < 500);
}

/* ---- what is missing ---- */

static struct {
    void *address;
    unsigned access, calls;
    int error;
} seen;

static bool refuse(void *argument, void *address, unsigned access, int error)
{
    assert_ptr_equal(argument, &seen);
    seen.address = address;
    seen.access = access;
    seen.error = error;
    seen.calls++;
    return false;
}

static void test_upcall_is_told(void)
{
    volatile unsigned char *data = begin(2, 1);
    assert_int_equal(caught_read(&data[PAGE + 5]), SIGSEGV);
    assert_true(seen.address == &data[PAGE + 5] && seen.access == VM_ACCESS_READ &&
                seen.error == ERR_NOT_FOUND);
    assert_int_equal(caught_write(&data[PAGE + 6]), SIGSEGV);
    assert_true(seen.access == VM_ACCESS_WRITE && seen.error == ERR_NOT_FOUND);
    assert_ptr_equal(caught_at, &data[PAGE + 6]);
    good(object.m.f.protect(&object.m, &regions[0], 0, PAGE, VREGION_FLAGS_READ));
    assert_int_equal(caught_write(&data[0]), SIGSEGV);
    assert_true(seen.address == &data[0] && seen.error == ERR_VM_PF_BAD_PERM);
    assert_int_equal(caught_read(&data[2 * PAGE]), SIGSEGV);
    assert_int_equal(seen.error, ERR_VM_PF_BAD_ADDRESS);
    unsigned calls = seen.calls;
    assert_int_equal(caught_read((void *)PAGE), SIGSEGV); /* none of Quire's */
    assert_int_equal(seen.calls, calls);
    end();
}

/* Fills a frame, of which it touches a page of another vregion first: a fault in the upcall. */
static bool fill_it(void *argument, void *address, unsigned access, int error)
{
    struct capref cap;
    size_t page = ((addr_t)address - vregion_get_base_addr(&regions[0])) / PAGE;
    (void)argument, (void)access;
    if (error != ERR_NOT_FOUND || err_is_fail(frame_alloc(&cap, PAGE, NULL)))
        return false;
    unsigned char before = page > 0 ? ((unsigned char *)regions[0].base)[(page - 1) * PAGE] : 0;
    ((unsigned char *)host_frame_ptr(cap.base))[0] = (unsigned char)(before + 1);
    return err_is_ok(object.m.f.fill(&object.m, page * PAGE, cap, 0));
}

static void test_upcall_fills(void)
{
    volatile unsigned char *data = begin(50, 0); /* upcalls in upcalls, as deep as the stack is */
    for (size_t i = 2; i < 50; i += 3)
        assert_int_equal(data[i * PAGE], i + 1);
    assert_int_equal(data[1 * PAGE], 2);
    end();
}

/* The kernel's accesses make no upcall: EFAULT, until the program has touched the page. */
static void test_system_calls_want_what_is_shown(void)
{
    int ends[2];
    volatile unsigned char *data = begin(1, 1);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], (const void *)data, 1), -1);
    assert_int_equal(errno, EFAULT);
    data[0] = 7;
    assert_int_equal(write(ends[1], (const void *)data, 1), 1);
    assert_int_equal(read(ends[0], (void *)&data[1], 1), 1);
    assert_int_equal(data[1], 7);
    end();
}

/* ---- files ---- */

static void test_quire_open_file_errors(void)
{
    void *file;
    int ends[2], memory = memfd_create("file", 0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(quire_open_file(-1, &file), ERR_INVALID_ARGS);
    assert_int_equal(quire_open_file(ends[0], &file), ERR_INVALID_ARGS);
    assert_int_equal(quire_open_file(memory, NULL), ERR_INVALID_ARGS);
    assert_int_equal(quire_close_file(NULL), ERR_INVALID_ARGS);
    OK(quire_open_file(memory, &file));
    OK(quire_close_file(file));
}

/* What is appended goes elsewhere than it should. */
static void test_quire_open_file_refuses_to_append(void)
{
    char path[32];
    void *file;
    int memory = memfd_create("file", 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    assert_int_equal(quire_open_file(open(path, O_RDWR | O_APPEND), &file), ERR_INVALID_ARGS);
    assert_int_equal(quire_open_file(open(path, O_WRONLY | O_APPEND), &file), ERR_INVALID_ARGS);
    OK(quire_open_file(open(path, O_RDONLY | O_APPEND), &file));
    OK(quire_close_file(file));
}

static void test_quire_open_file_in_other_modes(void)
{
    void *file = NULL;
    int memory = memfd_create("file", 0);
    assert_int_equal(quire_open_file(memory, &file), ERR_UNSUPPORTED);
    assert_int_equal(quire_close_file(&file), ERR_UNSUPPORTED);
}

/* An object that shows ten bytes of a file. */
static struct memobj_vfs vfs;
static volatile char *show_file(int descriptor, void **handle)
{
    OK(quire_open_file(descriptor, handle));
    good(vspace_current_init(true));
    good(frame_alloc(&frame, PAGE, NULL));
    good(memobj_create_vfs(&vfs, PAGE, 0, *handle, 0, 10));
    good(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, 0));
    good(vregion_map(&regions[0], get_current_vspace(), &vfs.anon.m, 0, PAGE, RW));
    return (volatile char *)vregion_get_base_addr(&regions[0]);
}

static void end_file(void *handle)
{
    good(memobj_destroy_vfs(&vfs.anon.m));
    good(cap_destroy(frame));
    good(vspace_destroy(get_current_vspace()));
    OK(quire_close_file(handle));
}

static void test_memobj_flush_vfs_reaches_the_file(void)
{
    char text[16] = "";
    void *handle;
    int file = memfd_create("file", 0);
    assert_int_equal(pwrite(file, "0123456789", 10, 0), 10);
    volatile char *data = show_file(file, &handle);
    assert_true(data[3] == '3' && data[10] == 0);
    data[3] = 'x';
    data[10] = 'x';
    good(memobj_flush_vfs(&vfs.anon.m, NULL));
    assert_int_equal(pread(file, text, sizeof text, 0), 10);
    assert_string_equal(text, "012x456789");
    end_file(handle);
}

/* The file is not made longer, nothing is lost, and it is said. */
static void test_memobj_flush_vfs_of_a_file_that_got_shorter(void)
{
    char text[16] = "";
    void *handle;
    struct capref got;
    int file = memfd_create("file", 0);
    assert_int_equal(pwrite(file, "0123456789", 10, 0), 10);
    volatile char *data = show_file(file, &handle);
    data[3] = data[8] = 'x';
    assert_int_equal(ftruncate(file, 4), 0);
    assert_int_equal(err_no(memobj_flush_vfs(&vfs.anon.m, NULL)), QUIRE_ERR_PF_PAST_END);
    assert_int_equal(pread(file, text, sizeof text, 0), 4);
    assert_string_equal(text, "012x");
    assert_int_equal(ftruncate(file, 0), 0);
    assert_int_equal(err_no(memobj_flush_vfs(&vfs.anon.m, NULL)), QUIRE_ERR_PF_PAST_END);
    assert_int_equal(err_no(vfs.anon.m.f.pager_free(&vfs.anon.m, PAGE, &got, 1)),
                     LIB_ERR_MEMOBJ_PAGER_FREE);
    assert_int_equal(data[8], 'x');
    assert_int_equal(ftruncate(file, 10), 0);
    good(vfs.anon.m.f.pager_free(&vfs.anon.m, PAGE, &got, 1));
    assert_int_equal(pread(file, text, sizeof text, 0), 10);
    assert_string_equal(text, "012x4567x9");
    end_file(handle);
}

/* The flag is that of each copy of the descriptor. */
static void test_memobj_flush_vfs_of_a_file_that_is_appended_to_from_now_on(void)
{
    char text[32] = "";
    void *handle;
    int file = memfd_create("file", 0);
    assert_int_equal(pwrite(file, "0123456789", 10, 0), 10);
    volatile char *data = show_file(file, &handle);
    data[3] = 'x';
    assert_int_equal(fcntl(file, F_SETFL, O_RDWR | O_APPEND), 0);
    assert_int_equal(err_no(memobj_flush_vfs(&vfs.anon.m, NULL)), QUIRE_ERR_IO);
    assert_int_equal(pread(file, text, sizeof text, 0), 10);
    assert_string_equal(text, "0123456789");
    assert_int_equal(fcntl(file, F_SETFL, O_RDWR), 0);
    good(memobj_flush_vfs(&vfs.anon.m, NULL));
    assert_int_equal(pread(file, text, sizeof text, 0), 10);
    assert_string_equal(text, "012x456789");
    end_file(handle);
}

/* The flush says that the file doesn't have it. */
static void test_memobj_flush_vfs_of_a_file_that_may_be_read_only(void)
{
    char path[32];
    void *handle;
    int file = memfd_create("file", 0);
    assert_int_equal(pwrite(file, "0123456789", 10, 0), 10);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    volatile char *data = show_file(open(path, O_RDONLY), &handle);
    assert_int_equal(data[3], '3');
    data[3] = 'x';
    assert_int_equal(err_no(memobj_flush_vfs(&vfs.anon.m, NULL)), QUIRE_ERR_IO);
    end_file(handle);
}

/* ---- forks ---- */

static volatile unsigned char *shared;

static void touch_and_start_anew(void)
{
    struct quire_info info;
    assert_int_equal(caught_read(shared), SIGSEGV);
    assert_int_equal(caught_write(shared), SIGSEGV);
    assert_int_equal(quire_get_info(&info), ERR_UNSUPPORTED);
    assert_int_equal(start_in((void *)BASE, GIB), VM_OK);
    volatile unsigned char *own = begin(1, 1);
    own[0] = 9;
    assert_int_equal(own[0], 9);
    end();
    assert_int_equal(quire_stop(), VM_OK);
}

static void find_no_vspace(void)
{
    assert_null(get_current_vspace());
    assert_int_equal(err_no(vspace_current_init(false)), LIB_ERR_VSPACE_CURRENT_INIT);
    assert_int_equal(err_no(vspace_current_init(true)), LIB_ERR_PMAP_CURRENT_INIT);
}

static void test_fork_leaves_the_child_no_vspace(void)
{
    int status;
    (void)begin(1, 1);
    pid_t pid = fork();
    if (pid == 0) {
        find_no_vspace();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    end();
}

static uint32_t stop;

static void *ask_for_a_vspace(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        assert_int_equal(err_no(vspace_current_init(true)), LIB_ERR_VSPACE_CURRENT_INIT);
    return NULL;
}

/* Whatever the other thread has locked at the fork. */
static void test_forks_beside_a_thread_that_begins_a_vspace(void)
{
    pthread_t thread;
    int status;
    (void)begin(1, 1);
    assert_int_equal(pthread_create(&thread, NULL, ask_for_a_vspace, NULL), 0);
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(5);
            find_no_vspace();
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    end();
}

static void test_fork_shows_the_child_nothing(void)
{
    int status;
    OK(start_in((void *)BASE, GIB));
    shared = begin(1, 1);
    shared[0] = 5;
    pid_t pid = fork();
    if (pid == 0) {
        touch_and_start_anew();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(shared[0], 5);
    end();
}

#define VSPACE(f, ...) TEST_WITH(f, .budget = 16 * MIB, .mode = QUIRE_MODE_VSPACE, __VA_ARGS__)
LINUX_MAIN(TEST_WITH(test_quire_start_range_errors, .budget = 0),
           TEST_WITH(test_quire_start_range, .budget = 0),
           TEST_WITH(test_quire_start_range_of_regions, .budget = 0),
           TEST_MODES(test_vspace_current_init_in_other_modes, .budget = 2 * MIB),
           VSPACE(test_regions_in_vspace_mode), VSPACE(test_quire_stop_with_a_vspace),
           VSPACE(test_a_frame_at_several_addresses), VSPACE(test_rights_at_several_addresses),
           VSPACE(test_long_ranges_are_hidden), VSPACE(test_more_pages_than_are_shown),
           VSPACE(test_upcall_is_told, .upcall = refuse, .upcall_argument = &seen),
           VSPACE(test_upcall_fills, .upcall = fill_it),
           VSPACE(test_system_calls_want_what_is_shown), VSPACE(test_quire_open_file_errors),
           VSPACE(test_quire_open_file_refuses_to_append),
           TEST_MODES(test_quire_open_file_in_other_modes, .budget = 2 * MIB),
           VSPACE(test_memobj_flush_vfs_reaches_the_file),
           VSPACE(test_memobj_flush_vfs_of_a_file_that_got_shorter),
           VSPACE(test_memobj_flush_vfs_of_a_file_that_may_be_read_only),
           VSPACE(test_memobj_flush_vfs_of_a_file_that_is_appended_to_from_now_on),
           VSPACE(test_fork_leaves_the_child_no_vspace),
           VSPACE(test_forks_beside_a_thread_that_begins_a_vspace),
           TEST_WITH(test_fork_shows_the_child_nothing, .budget = 0))
