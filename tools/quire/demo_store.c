/* SPDX-License-Identifier: MIT */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

static int give_room(const struct demo_options *options, int fd)
{
    int error = posix_fallocate(fd, 0, (off_t)options->size);
    if (error == 0)
        return 0;
    return fail(STATUS_ERROR,
                "%s: no room for %zuM there: %s; give another path or a smaller --size",
                options->path, options->size >> 20, strerror(error));
}

/* What is there already is somebody's, and stays. */
static int open_new(const struct demo_options *options, int *fd)
{
    *fd = open(options->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*fd < 0 && errno == EEXIST)
        return fail(STATUS_ERROR,
                    "%s: is there already, and would be overwritten; give a name that is new",
                    options->path);
    if (*fd < 0)
        return fail(STATUS_ERROR, "%s: %s; give a path that this user may create a file at",
                    options->path, strerror(errno));
    (void)unlink(options->path);
    return 0;
}

static int create_file(const struct demo_options *options, vm_store **store)
{
    int fd, status = open_new(options, &fd);
    if (status != 0)
        return status;
    status = give_room(options, fd);
    struct vm_store_file_options file = {.descriptor = fd, .flags = VM_STORE_FILE_WRITABLE};
    int error = status == 0 ? vm_store_create_file(&file, store) : VM_OK;
    close(fd);
    return error == VM_OK ? status
                          : fail(STATUS_ERROR, "%s: %s", options->path, vm_error_text(error));
}

int demo_store_create(const struct demo_options *options, vm_store **store)
{
    struct vm_store_compressed_options compressed = {
        .pages = options->size / VM_PAGE_SIZE,
        .coder = options->kind == DEMO_ZSTD ? VM_STORE_ZSTD : VM_STORE_LZ4,
        .level = options->kind == DEMO_ZSTD ? 1 : 0};
    if (options->kind == DEMO_FILE)
        return create_file(options, store);
    int error = options->kind == DEMO_MEMORY ? vm_store_create_memory(compressed.pages, store)
                                             : vm_store_create_compressed(&compressed, store);
    if (error == VM_OK)
        return 0;
    return fail(STATUS_ERROR, "--store %s: %s; give a smaller --size, or --store file:PATH",
                options->store, vm_error_text(error));
}

size_t demo_store_bytes(const struct demo_options *options, vm_store *store)
{
    struct vm_store_compressed_info info;
    switch (options->kind) {
    case DEMO_FILE:
        return 0;
    case DEMO_MEMORY:
        return vm_store_memory_pages(store) * VM_PAGE_SIZE;
    default:
        vm_store_compressed_info(store, &info);
        return info.used;
    }
}
