/* SPDX-License-Identifier: MIT */
/* Quire over a store that is the file. */
#include "process.h"

#include <quire/host.h>
#include <quire/quire.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int file;
static size_t file_size;
static unsigned char *base;

static void destroy(vm_store *store)
{
    (void)store;
}

static bool has_page(vm_store *store, off_t offset)
{
    (void)store;
    return offset < (off_t)file_size;
}

static int read_pages(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    (void)store;
    for (size_t i = 0; i < count; i++)
        if (pread(file, host_frame_ptr(frames[i]), PAGE, offset + (off_t)(i * PAGE)) !=
            (ssize_t)PAGE)
            return ERR_IO;
    *done = count * PAGE;
    return VM_OK;
}

static int write_pages(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                       size_t *done)
{
    (void)store;
    for (size_t i = 0; i < count; i++)
        if (pwrite(file, host_frame_ptr(frames[i]), PAGE, offset + (off_t)(i * PAGE)) !=
            (ssize_t)PAGE)
            return ERR_IO;
    *done = count * PAGE;
    return VM_OK;
}

static const struct vm_store_ops ops = {
    .destroy = destroy, .has_page = has_page, .read = read_pages, .write = write_pages};
static vm_store store = {.ops = &ops};

static unsigned char *start_with(int fd, size_t size, size_t budget, size_t granule)
{
    struct quire_options options = {.budget = budget};
    struct quire_mapping mapping = {.store = &store, .size = size, .granule = granule};
    void *address;
    file = fd;
    file_size = size;
    int error = quire_start(&options);
    if (error == VM_OK)
        error = quire_map(&mapping, &address);
    if (error != VM_OK) {
        fprintf(stderr, "process: %s %s\n", vm_error_text(error), quire_why());
        exit(1);
    }
    base = address;
    return base;
}

static unsigned char *start_quire(int fd, size_t size, size_t budget)
{
    return start_with(fd, size, budget, 0);
}

static unsigned char *start_4k(int fd, size_t size, size_t budget)
{
    return start_with(fd, size, budget, PAGE);
}

static void finish_quire(void)
{
    if (quire_flush(base, file_size) != VM_OK)
        fail("quire_flush");
}

static uint64_t quire_faults(void)
{
    struct quire_info info;
    return quire_get_info(&info) == VM_OK ? info.faults : 0;
}

const struct way way_quire = {"quire", start_quire, NULL, finish_quire, quire_faults};
const struct way way_quire_4k = {"quire-4k", start_4k, NULL, finish_quire, quire_faults};
