/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- running ---- */

enum { CHILD_OK = 0, CHILD_SKIP = 77 };

static void end_quire(const struct linux_test *test)
{
    struct quire_info info;
    if (quire_get_info(&info) != VM_OK)
        return;
    if (test->options.daemons == 0)
        check_tables();
    OK(quire_stop());
}

static void child(const struct linux_test *test)
{
    catch_signals();
    if (test->options.budget != 0) {
        int error = quire_start(&test->options);
        if (error == ERR_UNSUPPORTED && test->options.mode == QUIRE_MODE_HANDLER) {
            print_message("skipped: %s\n", quire_why());
            exit(CHILD_SKIP);
        }
        OK(error);
    }
    test->function();
    end_quire(test);
}

void skip_test(const char *why)
{
    print_message("skipped: %s\n", why);
    fflush(NULL);
    _exit(CHILD_SKIP);
}

/* Nothing but SIGKILL ends a process that never leaves a call of Quire's, where signals are held back. */
static void wait_for(pid_t pid, int *status)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    if (end.fd >= 0 && poll(&end, 1, 180 * 1000) == 0)
        kill(pid, SIGKILL);
    if (end.fd >= 0)
        close(end.fd);
    assert_int_equal(waitpid(pid, status, 0), pid);
}

/* In the child a failed assertion ends the process. */
void linux_run(void **state)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        alarm(120);
        child(*state);
        fflush(NULL);
        _exit(CHILD_OK);
    }
    wait_for(pid, &status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIP)
        skip();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != CHILD_OK)
        fail_msg("the process ended with status %#x", (unsigned)status);
}

/* ---- stores ---- */

static struct test_store *of(vm_store *store)
{
    return store->data;
}

static bool fails(uint32_t *times)
{
    uint32_t left = __atomic_load_n(times, __ATOMIC_RELAXED);
    while (left > 0)
        if (__atomic_compare_exchange_n(times, &left, left - 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

static void rest(const struct test_store *s)
{
    struct timespec pause = {0, s->delay_us * 1000L};
    if (s->delay_us)
        nanosleep(&pause, NULL);
}

static int read_store(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    struct test_store *s = of(store);
    rest(s);
    if (fails(&s->fail_reads))
        return ERR_IO;
    for (size_t i = 0; i < count; i++) {
        size_t page = (size_t)offset / PAGE + i;
        if (page >= s->pages)
            break;
        if ((off_t)page == s->bad_page || (s->is_swap && !s->written[page]))
            return ERR_IO;
        if (pread(s->fd, host_frame_ptr(frames[i]), PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE)
            return ERR_IO;
        *done += PAGE;
        __atomic_fetch_add(&s->reads, 1, __ATOMIC_RELAXED);
    }
    return VM_OK;
}

/* The bytes of a frame. What the program has written of them Linux has ordered before this read, which
 * ThreadSanitizer can't know: it is not to see it. */
static const void *bytes_of(addr_t frame)
{
    static __thread unsigned char copy[PAGE];
    const void *from = host_frame_ptr(frame);
    void *to = copy;
    size_t size = PAGE;
    if (!CHECKS_RACES)
        return from;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return copy;
}

static int write_store(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                       size_t *done)
{
    struct test_store *s = of(store);
    rest(s);
    if (fails(&s->fail_writes))
        return ERR_IO;
    for (size_t i = 0; i < count; i++) {
        size_t page = (size_t)offset / PAGE + i;
        if (page >= s->pages)
            break;
        if (pwrite(s->fd, bytes_of(frames[i]), PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE)
            return ERR_IO;
        s->written[page] = true;
        __atomic_fetch_add(&s->writes, 1, __ATOMIC_RELAXED);
    }
    *done = count * PAGE;
    return VM_OK;
}

static bool has_page(vm_store *store, off_t offset)
{
    return (size_t)offset / PAGE < of(store)->pages;
}

static off_t size_of_store(vm_store *store)
{
    return (off_t)(of(store)->pages * PAGE);
}

static void destroy(vm_store *store)
{
    __atomic_fetch_add(&of(store)->destroyed, 1, __ATOMIC_RELAXED);
}

static const struct vm_store_ops store_ops = {.destroy = destroy,
                                              .has_page = has_page,
                                              .read = read_store,
                                              .write = write_store,
                                              .size = size_of_store};
static const struct vm_store_ops swap_ops = {
    .destroy = destroy, .read = read_store, .write = write_store};

static struct test_store *create(size_t pages, const struct vm_store_ops *ops)
{
    struct test_store *s = calloc(1, sizeof *s);
    assert_non_null(s);
    *s = (struct test_store){.store = {.magic = VM_STORE_MAGIC, .ops = ops, .data = s},
                             .pages = pages,
                             .bad_page = -1,
                             .is_swap = ops == &swap_ops};
    s->fd = memfd_create("store", 0);
    assert_int_equal(ftruncate(s->fd, (off_t)(pages * PAGE)), 0);
    s->bytes = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    assert_true(s->bytes != MAP_FAILED);
    s->written = calloc(pages, sizeof *s->written);
    return s;
}

struct test_store *store_create(size_t pages)
{
    struct test_store *s = create(pages, &store_ops);
    for (size_t page = 0; page < pages; page++)
        write_page(s->bytes, page, page + 1);
    return s;
}

struct test_store *swap_create(size_t slots)
{
    return create(slots, &swap_ops);
}

void madvise_away(struct test_store *s)
{
    madvise(s->bytes, s->pages * PAGE, MADV_DONTNEED);
}

void store_free(struct test_store *s)
{
    munmap(s->bytes, s->pages * PAGE);
    close(s->fd);
    free(s->written);
    free(s);
}

volatile unsigned char *nested_in;

static int nested_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                       size_t *done)
{
    (void)store;
    for (size_t i = 0; i < count; i++)
        memcpy(host_frame_ptr(frames[i]), (const void *)(nested_in + offset + (off_t)(i * PAGE)),
               PAGE);
    *done = count * PAGE;
    return VM_OK;
}

static bool nested_has_page(vm_store *store, off_t offset)
{
    (void)store, (void)offset;
    return true;
}

static void nested_destroy(vm_store *store)
{
    (void)store;
}

vm_store *nested_store(volatile unsigned char *in)
{
    static const struct vm_store_ops ops = {
        .destroy = nested_destroy, .has_page = nested_has_page, .read = nested_read};
    static vm_store nested;
    nested = (vm_store){.ops = &ops};
    nested_in = in;
    return &nested;
}

/* ---- regions ---- */

volatile unsigned char *map_memory(size_t pages)
{
    struct quire_mapping mapping = {.size = pages * PAGE};
    void *address;
    OK(quire_map(&mapping, &address));
    return address;
}

volatile unsigned char *map_store(struct test_store *store, unsigned flags)
{
    struct quire_mapping mapping = {
        .store = &store->store, .size = store->pages * PAGE, .flags = flags, .granule = PAGE};
    void *address;
    OK(quire_map(&mapping, &address));
    return address;
}

void add_swap(size_t pages)
{
    OK(quire_add_swap(&swap_create(pages)->store, pages, "swap"));
}

void write_page(volatile void *region, size_t page, uint64_t value)
{
    volatile uint64_t *words = (volatile uint64_t *)region + page * PAGE / 8;
    for (size_t i = 0; i < PAGE / 8; i++)
        words[i] = value;
}

bool page_is(const volatile void *region, size_t page, uint64_t value)
{
    const volatile uint64_t *words = (const volatile uint64_t *)region + page * PAGE / 8;
    for (size_t i = 0; i < PAGE / 8; i++)
        if (words[i] != value) {
            print_message("page %zu, word %zu: %#lx instead of %#lx\n", page, i,
                          (unsigned long)words[i], (unsigned long)value);
            return false;
        }
    return true;
}

/* ---- signals ---- */

volatile unsigned char *bad_address(void)
{
    int fd = memfd_create("short", 0);
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(fd >= 0 && at != MAP_FAILED);
    return at;
}

static __thread sigjmp_buf back;
static __thread volatile bool expecting;
void *caught_at;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (!expecting) {
        signal(number, SIG_DFL);
        return;
    }
    caught_at = info->si_addr;
    siglongjmp(back, number);
}

void catch_signals(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
}

int caught_read(const volatile void *address)
{
    int number = sigsetjmp(back, 1);
    expecting = true;
    if (number == 0)
        (void)*(const volatile unsigned char *)address;
    expecting = false;
    return number;
}

int caught_write(volatile void *address)
{
    int number = sigsetjmp(back, 1);
    expecting = true;
    if (number == 0)
        *(volatile unsigned char *)address = 1;
    expecting = false;
    return number;
}

/* ---- memory ---- */

size_t resident_pages(void)
{
    char text[64];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(length > 0);
    text[length] = 0;
    return strtoul(strchr(text, ' '), NULL, 10);
}

struct quire_info figures(void)
{
    struct quire_info info;
    OK(quire_get_info(&info));
    return info;
}

size_t open_files(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* ---- moments ------------------------------------------------------------------------------------ */

void set_word(uint32_t *word)
{
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    host_wake(word, UINT32_MAX);
}

void wait_for_word(uint32_t *word, uint64_t ms)
{
    uint64_t end = host_time_ns() + ms * 1000000;
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0 && host_time_ns() < end)
        (void)host_wait(word, 0, end, false);
}

size_t count_mappings(void)
{
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    for (int c; (c = fgetc(maps)) != EOF;)
        count += c == '\n';
    fclose(maps);
    return count;
}

size_t count_threads(void)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}
