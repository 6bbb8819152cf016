/* SPDX-License-Identifier: MIT */
/* Megabytes a second of one CPU's time to and from stores, 16 pages at a time, by one thread; and what compressed pages become. Prints
 * "store, content: written read ratio". Contents are the bytes of a file, or made up:
 *     stores NAME=FILE... random zeros */
#define _GNU_SOURCE
#include <quire/host.h>
#include <quire/stores.h>

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGES 8192
#define RUN 16
#define ROUNDS 5

static _Alignas(4096) uint8_t content[PAGES * VM_PAGE_SIZE], frames[RUN * VM_PAGE_SIZE];

/* ---- the host: a frame is where it is ---- */

void *host_frame_ptr(addr_t physical)
{
    return (void *)physical;
}

int host_wait(uint32_t *address, uint32_t expected, uint64_t deadline, bool killable)
{
    (void)deadline, (void)killable;
    (void)syscall(SYS_futex, address, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
    return VM_OK;
}

void host_wake(uint32_t *address, uint32_t count)
{
    (void)syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, count > INT32_MAX ? INT32_MAX : count,
                  NULL, NULL, 0);
}

static int allocate_frame(size_t count, bool clear, addr_t *physical)
{
    void *frame = aligned_alloc(VM_PAGE_SIZE, count * VM_PAGE_SIZE);
    if (frame && clear)
        memset(frame, 0, count * VM_PAGE_SIZE);
    *physical = (addr_t)frame;
    return frame ? VM_OK : ERR_NO_MEMORY;
}

static void free_frame(addr_t physical, size_t count)
{
    (void)count;
    free((void *)physical);
}

/* ---- stores ---- */

static void check(int error, const char *what)
{
    if (error == VM_OK)
        return;
    fprintf(stderr, "stores: %s: error %d\n", what, error);
    exit(1);
}

static vm_store *make_compressed(enum vm_store_coder coder, int level, vm_store *below)
{
    vm_store *store;
    struct vm_store_compressed_options options = {.pages = PAGES,
                                                  .coder = coder,
                                                  .level = level,
                                                  .below = below,
                                                  .allocate_frames = allocate_frame,
                                                  .free_frames = free_frame};
    check(vm_store_create_compressed(&options, &store), "compressed");
    return store;
}

static vm_store *make_memory(void)
{
    vm_store *store;
    check(vm_store_create_memory(PAGES * 2, &store), "memory");
    return store;
}

static vm_store *make_checksum(void)
{
    vm_store *store;
    struct vm_store_checksum_options options = {.below = make_memory(), .pages = PAGES};
    check(vm_store_create_checksum(&options, &store), "checksum");
    return store;
}

static vm_store *make_file(unsigned flags, size_t pages)
{
    char name[] = "quire-bench-XXXXXX";
    vm_store *store;
    struct vm_store_file_options options = {.descriptor = mkstemp(name),
                                            .flags = flags | VM_STORE_FILE_WRITABLE |
                                                     VM_STORE_FILE_CREATE,
                                            .length = (off_t)(pages * VM_PAGE_SIZE)};
    unlink(name);
    check(vm_store_create_file(&options, &store), "file");
    close(options.descriptor);
    return store;
}

static vm_store *make(size_t which)
{
    switch (which) {
    case 0:
        return make_memory();
    case 1:
        return make_checksum();
    case 2:
        return make_file(VM_STORE_FILE_NO_RING, PAGES);
    case 3:
        return make_file(0, PAGES);
    case 4:
        return make_compressed(VM_STORE_LZ4, 1, NULL);
    case 5:
        return make_compressed(VM_STORE_ZSTD, -1, NULL);
    case 6:
        return make_compressed(VM_STORE_ZSTD, 1, NULL);
    case 7:
        return make_compressed(VM_STORE_ZSTD, 3, NULL);
    default:
        return make_compressed(VM_STORE_LZ4, 1, make_file(0, 2 * PAGES));
    }
}

static const char *const names[] = {"memory",
                                    "checksum over memory",
                                    "file by preadv",
                                    "file by io_uring",
                                    "lz4",
                                    "zstd -1",
                                    "zstd 1",
                                    "zstd 3",
                                    "lz4 over a file"};
#define FIRST_COMPRESSED 4

/* ---- measuring ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Megabytes a second. */
static double pass(vm_store *store, bool is_write, bool compare)
{
    double start = now();
    for (size_t page = 0; page < PAGES; page += RUN) {
        addr_t run[RUN];
        size_t done;
        uint8_t *from_content = content + page * VM_PAGE_SIZE,
                *from = is_write ? from_content : frames;
        for (size_t i = 0; i < RUN; i++)
            run[i] = (addr_t)(from + i * VM_PAGE_SIZE);
        off_t offset = (off_t)(page * VM_PAGE_SIZE);
        check(is_write ? store->ops->write(store, offset, run, RUN, &done)
                       : store->ops->read(store, offset, run, RUN, &done),
              is_write ? "write" : "read");
        if (compare && memcmp(frames, from_content, sizeof frames) != 0)
            check(ERR_IO, "other bytes");
    }
    return PAGES * VM_PAGE_SIZE / 1e6 / (now() - start);
}

static double best(vm_store *store, bool is_write)
{
    double most = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        double this = pass(store, is_write, false);
        most = this > most ? this : most;
    }
    return most;
}

static void measure(size_t which, const char *name)
{
    vm_store *store = make(which);
    double written = best(store, true), read = best(store, false), ratio = 1;
    (void)pass(store, false, true);
    if (which >= FIRST_COMPRESSED) {
        struct vm_store_compressed_info info;
        vm_store_compressed_info(store, &info);
        ratio = info.bytes ? (double)info.pages * VM_PAGE_SIZE / (double)info.bytes : 0;
    }
    printf("%s, %s: %.0f %.0f %.2f\n", names[which], name, written, read, ratio);
    store->ops->destroy(store);
}

static void fill_from(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(content, 1, sizeof content, file) : 0;
    if (got == 0)
        check(ERR_NOT_FOUND, path);
    for (size_t at = got; at < sizeof content; at++)
        content[at] = content[at - got];
    fclose(file);
}

static void fill(const char *name, const char *path)
{
    uint64_t state = 1;
    memset(content, 0, sizeof content);
    if (path)
        fill_from(path);
    else if (strcmp(name, "random") == 0)
        for (size_t i = 0; i < sizeof content; i++)
            content[i] = (uint8_t)((state = state * 6364136223846793005u + 1) >> 56);
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        char *path = strchr(arguments[i], '=');
        if (path)
            *path++ = '\0';
        fill(arguments[i], path);
        for (size_t which = 0; which < sizeof names / sizeof names[0]; which++)
            measure(which, arguments[i]);
    }
    return 0;
}
