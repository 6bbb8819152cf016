/* SPDX-License-Identifier: MIT */
/* A process that pages itself, in VSPACE mode of libquire, as the tests of vspace/ see it: on Linux, and on the
 * reference kernel. Accesses are the CPU's, faults are signals. It has one program; others are address spaces
 * that this file shows in its stead, as a kernel would. */
#include "machine.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux.h>

#include "support.h"

#define BASE (SPOT / 2)
#define SIZE ((addr_t)7 << 28) /* below the shadow of a checker of addresses */
#define BUDGET ((size_t)16 << 20)
#define NO_DEVICE ((addr_t)1 << 40)

static aspace_id first_program;
static machine_handler *handler;
static uint64_t faults;

/* ---- accesses ---- */

static _Thread_local sigjmp_buf given_up;
static _Thread_local int failure;

/* The first thread has a stack for faults. */
static char signal_stack[1 << 16];
static _Thread_local bool is_first;

static void use_stack(void)
{
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    assert_int_equal(sigaltstack(&stack, NULL), 0);
    is_first = true;
}

static bool on_upcall(void *argument, void *address, unsigned access, int error)
{
    const char here = 0;
    if (is_first)
        assert_in_range(&here, signal_stack, signal_stack + sizeof signal_stack);
    (void)argument;
    failure = error;
    return handler && handler((addr_t)address, access);
}

/* Of accesses that nobody has resolved. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    if ((addr_t)info->si_addr - process.base >= process.size)
        abort();
    siglongjmp(given_up, 1);
}

static int do_access(addr_t address, unsigned access, uint8_t byte)
{
    if (sigsetjmp(given_up, 1))
        return failure;
    switch (access) {
    case VM_ACCESS_WRITE:
        *(volatile uint8_t *)address = byte;
        return 0;
    case VM_ACCESS_EXECUTE:
        ((void (*)(void))address)();
        return 0;
    default:
        return *(volatile uint8_t *)address;
    }
}

static uint64_t core_faults(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.page_faults;
}

/* Of the first thread. The core counts those by other functions, too. */
static int count_access(addr_t address, unsigned access, uint8_t byte)
{
    if (!is_first)
        return do_access(address, access, byte);
    uint64_t before = core_faults();
    int result = do_access(address, access, byte);
    faults += core_faults() - before;
    return result;
}

int machine_read(addr_t address)
{
    return count_access(address, VM_ACCESS_READ, 0);
}

int machine_write(addr_t address, uint8_t byte)
{
    return count_access(address, VM_ACCESS_WRITE, byte);
}

/* A page that is there gets an instruction to return for as long as this takes. */
int machine_execute(addr_t address)
{
    addr_t physical;
    if (vm_get_page_mapping(process.aid, address, &physical) != VM_OK)
        return count_access(address, VM_ACCESS_EXECUTE, 0);
    uint8_t *code = host_frame_ptr(physical), before = *code;
    *code = 0xc3;
    int result = count_access(address, VM_ACCESS_EXECUTE, 0);
    *code = before;
    return result;
}

void machine_set_handler(machine_handler *new)
{
    handler = new;
}

uint64_t machine_faults(void)
{
    return faults;
}

/* ---- files ---- */

#define FILES 4
static struct test_file {
    int descriptor;
    void *handle;
    uint8_t *data;
    size_t size;
} files[FILES];
static size_t next_file;

/* Before anybody counts the core's memory. */
static void open_files(void)
{
    for (size_t i = 0; i < FILES; i++) {
        files[i] = (struct test_file){.descriptor = memfd_create("file", 0)};
        assert_int_equal(quire_open_file(files[i].descriptor, &files[i].handle), VM_OK);
    }
    next_file = 0;
}

static void unmap_file(struct test_file *file)
{
    if (file->data)
        munmap(file->data, file->size);
    file->data = NULL;
}

static void close_files(void)
{
    for (size_t i = 0; i < FILES; i++) {
        assert_int_equal(quire_close_file(files[i].handle), VM_OK);
        unmap_file(&files[i]);
        close(files[i].descriptor);
    }
}

void *machine_file(const void *bytes, size_t size)
{
    struct test_file *file = &files[next_file++ % FILES];
    unmap_file(file);
    assert_int_equal(ftruncate(file->descriptor, 0), 0);
    assert_int_equal(ftruncate(file->descriptor, (off_t)size), 0);
    if (bytes)
        assert_int_equal(pwrite(file->descriptor, bytes, size, 0), size);
    file->size = size;
    file->data = mmap(NULL, size, PROT_READ, MAP_SHARED, file->descriptor, 0);
    assert_ptr_not_equal(file->data, MAP_FAILED);
    return file->handle;
}

static struct test_file *file_of(void *handle)
{
    size_t i = 0;
    while (files[i].handle != handle)
        i++;
    return &files[i];
}

const uint8_t *machine_file_data(void *file)
{
    return file_of(file)->data;
}

/* The descriptor is closed, or the file's again. */
void machine_fail_reads(void *of, bool fail)
{
    static int kept = -1;
    int descriptor = file_of(of)->descriptor;
    if (fail) {
        kept = dup(descriptor);
        close(descriptor);
    } else {
        assert_true(dup2(kept, descriptor) >= 0);
        close(kept);
    }
}

/* ---- coming and going ---- */

void machine_start(void)
{
    struct sigaction mine = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct quire_options options = {.budget = BUDGET,
                                    .mode = QUIRE_MODE_VSPACE,
                                    .base = (void *)BASE,
                                    .range = SIZE,
                                    .upcall = on_upcall};
    assert_int_equal(sigaction(SIGSEGV, &mine, NULL), 0);
    use_stack();
    assert_int_equal(quire_start(&options), VM_OK);
    first_program = process.aid;
    handler = NULL;
    open_files();
}

void machine_stop(void)
{
    machine_check();
    close_files();
    assert_int_equal(quire_stop(), VM_OK);
}

void machine_check(void)
{
    assert_int_equal(vm_check(), 0);
}

addr_t machine_user_base(void)
{
    return BASE;
}

addr_t machine_user_size(void)
{
    return SIZE;
}

/* ---- programs ---- */

aspace_id machine_program(void)
{
    return vm_get_current_user_aspace_id();
}

void machine_leave(void)
{
    vm_leave_aspace(process.aspace, 0);
    show_flush(process.base, process.base + process.size);
    vm_put_aspace(process.aspace);
    process.aspace = NULL;
    process.aid = 0;
}

void machine_enter(aspace_id aid)
{
    if (process.aspace)
        machine_leave();
    process.aid = aid;
    process.aspace = vm_get_aspace_by_id(aid);
    assert_non_null(process.aspace);
    process.root = vm_enter_aspace(process.aspace, 0);
}

aspace_id machine_new_program(void)
{
    aspace_id aid = vm_create_aspace("program", BASE, SIZE, false);
    assert_true(aid > 0);
    machine_enter(aid);
    return aid;
}

void machine_end_program(aspace_id aid)
{
    assert_int_not_equal(aid, first_program);
    if (process.aid == aid)
        machine_leave();
    assert_int_equal(vm_delete_aspace(aid), VM_OK);
}

/* ---- memory; devices; failures ---- */

bool machine_has_devices(void)
{
    return false;
}

addr_t machine_device(void)
{
    return NO_DEVICE;
}

size_t machine_free_frames(void)
{
    vm_info info;
    vm_trim();
    vm_get_info(&info);
    return info.free_pages + info.clear_pages;
}

size_t machine_metadata_bytes(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.metadata_bytes;
}

unsigned machine_failure_classes(void)
{
    return 0;
}

void machine_fail_at(unsigned class, unsigned n)
{
    (void)class, (void)n;
}

bool machine_has_failed(unsigned class)
{
    (void)class;
    return false;
}

/* ---- threads ---- */

#define THREADS 16
static struct thread {
    pthread_t id;
    int (*function)(void *);
    void *argument;
} threads[THREADS];
static size_t spawned;
static pthread_barrier_t all_are_there;

static void *begin(void *of)
{
    const struct thread *thread = of;
    pthread_barrier_wait(&all_are_there);
    (void)thread->function(thread->argument);
    return NULL;
}

void machine_spawn(int (*function)(void *), void *argument)
{
    assert_true(spawned < THREADS);
    threads[spawned++] = (struct thread){.function = function, .argument = argument};
}

void machine_join(void)
{
    pthread_barrier_init(&all_are_there, NULL, (unsigned)spawned);
    for (size_t i = 0; i < spawned; i++)
        assert_int_equal(pthread_create(&threads[i].id, NULL, begin, &threads[i]), 0);
    for (size_t i = 0; i < spawned; i++)
        pthread_join(threads[i].id, NULL);
    pthread_barrier_destroy(&all_are_there);
    spawned = 0;
}

void machine_yield(void)
{
    sched_yield();
}

/* Schedules are the kernel's. */
void machine_with_schedules(unsigned count, void (*test)(void))
{
    for (unsigned i = 0; i < count; i++) {
        machine_start();
        test();
        machine_stop();
    }
}
