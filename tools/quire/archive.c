/* SPDX-License-Identifier: MIT */
#include "archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"

/* newc has 32 bits for a file's size. */
#define MAX_FILE_SIZE UINT32_MAX

static int write_bytes(struct archive *archive, const void *bytes, size_t length)
{
    const char *next = bytes;
    while (length != 0) {
        ssize_t written = write(archive->fd, next, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail(STATUS_ERROR, "can't write the initial file system: %s", strerror(errno));
        next += written;
        length -= (size_t)written;
        archive->size += (uint64_t)written;
    }
    return 0;
}

static int write_padding(struct archive *archive)
{
    static const char zeros[4];
    return write_bytes(archive, zeros, (size_t)(-archive->size & 3));
}

static int write_header(struct archive *archive, const char *path, mode_t mode, uint32_t size,
                        uint32_t time)
{
    char header[111];
    const char *name = path[0] == '/' ? path + 1 : path;
    snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
             archive->next_inode++, (unsigned)mode, 0u, 0u, 1u, time, size, 0u, 0u, 0u, 0u,
             (unsigned)strlen(name) + 1, 0u);
    int status = write_bytes(archive, header, 110);
    if (status == 0)
        status = write_bytes(archive, name, strlen(name) + 1);
    return status != 0 ? status : write_padding(archive);
}

bool archive_has(const struct archive *archive, const char *path)
{
    for (size_t i = 0; i < archive->count; i++)
        if (strcmp(archive->names[i], path) == 0)
            return true;
    return false;
}

static int remember(struct archive *archive, const char *path)
{
    if (archive->count == archive->capacity) {
        size_t capacity = archive->capacity != 0 ? archive->capacity * 2 : 64;
        char **names = realloc(archive->names, capacity * sizeof(*names));
        if (names == NULL)
            return fail_no_memory();
        archive->names = names;
        archive->capacity = capacity;
    }
    char *name = strdup(path);
    if (name == NULL)
        return fail_no_memory();
    archive->names[archive->count++] = name;
    return 0;
}

static int add_parents(struct archive *archive, const char *path)
{
    int status = 0;
    for (const char *slash = strchr(path + 1, '/'); slash != NULL && status == 0;
         slash = strchr(slash + 1, '/')) {
        char *parent = strndup(path, (size_t)(slash - path));
        if (parent == NULL)
            return fail_no_memory();
        if (!archive_has(archive, parent)) {
            status = write_header(archive, parent, S_IFDIR | 0755, 0, 0);
            if (status == 0)
                status = remember(archive, parent);
        }
        free(parent);
    }
    return status;
}

/* What every new entry begins with: it isn't there yet, but its directory is. */
static int begin_entry(struct archive *archive, const char *path)
{
    if (archive_has(archive, path))
        return fail(STATUS_ERROR, "two files are to be %s in the initial file system", path);
    int status = add_parents(archive, path);
    return status != 0 ? status : remember(archive, path);
}

int archive_reserve(struct archive *archive, const char *path)
{
    return begin_entry(archive, path);
}

int archive_open(struct archive *archive)
{
    *archive = (struct archive){.next_inode = 1};
    archive->fd = memfd_create("quire-initrd", 0);
    if (archive->fd < 0)
        return fail(STATUS_ERROR, "can't make the initial file system: %s", strerror(errno));
    return 0;
}

int archive_add_directory(struct archive *archive, const char *path)
{
    if (strcmp(path, "/") == 0 || archive_has(archive, path))
        return 0;
    int status = begin_entry(archive, path);
    return status != 0 ? status : write_header(archive, path, S_IFDIR | 0755, 0, 0);
}

int archive_add_symlink(struct archive *archive, const char *path, const char *target)
{
    int status = begin_entry(archive, path);
    size_t length = strlen(target);
    if (status == 0)
        status = write_header(archive, path, S_IFLNK | 0777, (uint32_t)length, 0);
    if (status == 0)
        status = write_bytes(archive, target, length);
    return status != 0 ? status : write_padding(archive);
}

static int copy_contents(struct archive *archive, const char *path, int file, uint64_t size)
{
    char buffer[65536];
    for (uint64_t left = size; left != 0;) {
        ssize_t length = read(file, buffer, left < sizeof(buffer) ? (size_t)left : sizeof(buffer));
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return fail(STATUS_ERROR, "%s: can't read it: %s", path, strerror(errno));
        if (length == 0)
            return fail(STATUS_ERROR, "%s got shorter while it was read", path);
        int status = write_bytes(archive, buffer, (size_t)length);
        if (status != 0)
            return status;
        left -= (uint64_t)length;
    }
    /* /proc's files, for instance. */
    if (size == 0 && read(file, buffer, 1) > 0)
        return fail(STATUS_ERROR, "%s has a length of 0 and yet contents; put a copy of it in",
                    path);
    return 0;
}

int archive_add_file(struct archive *archive, const char *path, int file, const struct stat *status)
{
    uint64_t size = (uint64_t)status->st_size;
    if (size > MAX_FILE_SIZE)
        return fail(STATUS_ERROR, "%s: files of 4 GiB and more can't be put in", path);
    int result = begin_entry(archive, path);
    if (result == 0)
        result = write_header(archive, path, S_IFREG | (status->st_mode & 07777), (uint32_t)size,
                              (uint32_t)status->st_mtime);
    if (result == 0)
        result = copy_contents(archive, path, file, size);
    return result != 0 ? result : write_padding(archive);
}

int archive_finish(struct archive *archive)
{
    archive->next_inode = 0;
    return write_header(archive, "TRAILER!!!", 0, 0, 0);
}

void archive_close(struct archive *archive)
{
    for (size_t i = 0; i < archive->count; i++)
        free(archive->names[i]);
    free(archive->names);
    if (archive->fd >= 0)
        close(archive->fd);
    *archive = (struct archive){.fd = -1};
}
