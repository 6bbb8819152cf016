/* SPDX-License-Identifier: MIT */
/* Files: contents in the process's memory, reads and writes that fail, stop short or wait on request,
 * and a count of the references that the core has taken. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim_file {
    char path[64];
    uint8_t *data;
    size_t size;
    unsigned access;
    unsigned references;
    vm_cache_ref *cache;
    unsigned reads, pages_read, writes;
    struct request_plan read_plan, write_plan;
    size_t longest_read;
    uint32_t reads_blocked, writes_blocked; /* they wait while it is 1 */
    unsigned waiting;
    bool no_writing;
    uint8_t *late; /* a page that a broken disk has not written yet, or NULL */
    size_t late_at;
    struct sim_file *next;
};

static struct sim_file *files;

/* ---- for tests ---- */

sim_file *sim_file_create(const char *path, const void *data, size_t size, unsigned access)
{
    sim_file *file = calloc(1, sizeof(*file));
    if (file == NULL)
        abort();
    snprintf(file->path, sizeof(file->path), "%s", path);
    file->access = access;
    file->longest_read = SIZE_MAX;
    sim_file_set_size(file, size);
    if (data != NULL)
        memcpy(file->data, data, size);
    file->next = files;
    files = file;
    return file;
}

sim_file *sim_file_create_numbered(const char *path, size_t pages)
{
    unsigned access = VM_ACCESS_READ | VM_ACCESS_WRITE | VM_ACCESS_EXECUTE;
    sim_file *file = sim_file_create(path, NULL, pages * VM_PAGE_SIZE, access);
    for (size_t i = 0; i < pages; i++)
        memset(file->data + i * VM_PAGE_SIZE, (int)(i + 1), VM_PAGE_SIZE);
    return file;
}

void sim_file_set_size(sim_file *file, size_t size)
{
    uint8_t *data = realloc(file->data, size + 1);
    if (data == NULL)
        abort();
    if (size > file->size)
        memset(data + file->size, 0, size - file->size);
    file->data = data;
    file->size = size;
}

uint8_t *sim_file_data(sim_file *file)
{
    return file->data;
}

unsigned sim_file_references(const sim_file *file)
{
    return file->references;
}

unsigned sim_file_reads(const sim_file *file)
{
    return file->reads;
}

unsigned sim_file_pages_read(const sim_file *file)
{
    return file->pages_read;
}

unsigned sim_file_writes(const sim_file *file)
{
    return file->writes;
}

void sim_file_fail_reads(sim_file *file, unsigned n, unsigned times, int error)
{
    file->read_plan = (struct request_plan){.next = n, .times = times, .error = error};
}

void sim_file_fail_writes(sim_file *file, unsigned n, unsigned times, int error)
{
    file->write_plan = (struct request_plan){.next = n, .times = times, .error = error};
}

void sim_file_shorten_reads(sim_file *file, size_t bytes)
{
    file->longest_read = bytes;
}

void sim_file_block_reads(struct sim_file *file, bool block)
{
    request_block(&file->reads_blocked, block);
}

void sim_file_block_writes(struct sim_file *file, bool block)
{
    request_block(&file->writes_blocked, block);
}

unsigned sim_file_blocked(const sim_file *file)
{
    return file->waiting;
}

void sim_file_forbid_writing(sim_file *file)
{
    file->no_writing = true;
}

/* ---- for the core ---- */

static struct sim_file *find_file(const char *path)
{
    for (struct sim_file *f = files; f != NULL; f = f->next)
        if (strcmp(f->path, path) == 0)
            return f;
    return NULL;
}

int host_vnode_from_path(const char *path, bool kernel, unsigned access, void **vnode)
{
    struct sim_file *file = find_file(path);
    unsigned wanted = access & (VM_ACCESS_READ | VM_ACCESS_WRITE | VM_ACCESS_EXECUTE);
    if (file == NULL)
        return ERR_NOT_FOUND;
    if (!kernel && (wanted & ~file->access) != 0)
        return ERR_PERMISSION_DENIED;
    host_vnode_acquire(file);
    *vnode = file;
    return VM_OK;
}

void host_vnode_acquire(void *vnode)
{
    struct sim_file *file = vnode;
    fiber_step();
    if (file->references == 0 && file->cache != NULL)
        sim_fail("file %s is acquired when its last reference has gone", file->path);
    file->references++;
}

void host_vnode_release(void *vnode)
{
    struct sim_file *file = vnode;
    if (file->references == 0)
        sim_fail("file %s is released more often than acquired", file->path);
    file->references--;
}

vm_cache_ref *host_vnode_get_cache(void *vnode)
{
    struct sim_file *file = vnode;
    return file->cache;
}

bool host_vnode_set_cache(void *vnode, vm_cache_ref *cache)
{
    struct sim_file *file = vnode;
    if (file->cache != NULL)
        return false;
    file->cache = cache;
    return true;
}

void host_vnode_clear_cache(void *vnode, vm_cache_ref *cache)
{
    struct sim_file *file = vnode;
    if (file->cache == cache)
        file->cache = NULL;
}

off_t host_vnode_size(void *vnode)
{
    struct sim_file *file = vnode;
    return (off_t)file->size;
}

/* How many bytes at `offset` belong to the file, of `limit`. */
static size_t bytes_at(const struct sim_file *file, size_t offset, size_t limit)
{
    if (offset >= file->size)
        return 0;
    return file->size - offset < limit ? file->size - offset : limit;
}

int host_vnode_read(void *vnode, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    struct sim_file *file = vnode;
    *done = 0;
    file->reads++;
    file->pages_read += (unsigned)count;
    request_wait(&file->reads_blocked, &file->waiting);
    int error = request_failure(&file->read_plan);
    if (error != VM_OK)
        return error;
    for (size_t i = 0; i < count && *done == i * VM_PAGE_SIZE; i++) {
        fiber_step();
        size_t now = bytes_at(file, (size_t)offset + *done, VM_PAGE_SIZE);
        if (now > file->longest_read - *done)
            now = file->longest_read - *done;
        memcpy(host_frame_ptr(frames[i]), file->data + offset + *done, now);
        *done += now;
    }
    return VM_OK;
}

/* ---- writing ---- */

static void put_late(struct sim_file *file)
{
    if (file->late == NULL)
        return;
    memcpy(file->data + file->late_at, file->late, bytes_at(file, file->late_at, VM_PAGE_SIZE));
    free(file->late);
    file->late = NULL;
}

static void keep_late(struct sim_file *file, size_t at, const void *frame)
{
    file->late = malloc(VM_PAGE_SIZE);
    if (file->late == NULL)
        abort();
    memcpy(file->late, frame, VM_PAGE_SIZE);
    file->late_at = at;
}

/* How many bytes of the page belong to the file. */
static size_t write_page(struct sim_file *file, size_t at, addr_t frame)
{
    enum sim_disk disk = request_disk();
    size_t now = bytes_at(file, at, VM_PAGE_SIZE);
    put_late(file);
    if (disk == SIM_DISK_LATE)
        keep_late(file, at, host_frame_ptr(frame));
    else if (disk != SIM_DISK_LOSES)
        memcpy(file->data + at, host_frame_ptr(frame), disk == SIM_DISK_TEARS ? now / 2 : now);
    request_page_written();
    return now;
}

/* A file may get shorter meanwhile: what is written of it ends where it does. */
static size_t write_pages(struct sim_file *file, size_t offset, const addr_t *frames, size_t count)
{
    size_t index[REQUEST_PAGES], done = 0;
    request_order(index, count);
    for (size_t i = 0; i < count; i++) {
        request_page_begins();
        done += write_page(file, offset + index[i] * VM_PAGE_SIZE, frames[index[i]]);
    }
    return done;
}

int host_vnode_write(void *vnode, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    struct sim_file *file = vnode;
    *done = 0;
    file->writes++;
    if (count > REQUEST_PAGES)
        sim_fail("a write of %zu pages", count);
    if (file->no_writing)
        return ERR_UNSUPPORTED;
    request_wait(&file->writes_blocked, &file->waiting);
    int error = request_failure(&file->write_plan);
    if (error == VM_OK)
        *done = write_pages(file, (size_t)offset, frames, count);
    return error;
}

/* ---- ending ---- */

unsigned file_report(void)
{
    unsigned left = 0;
    for (struct sim_file *f = files; f != NULL; f = f->next) {
        if (f->references == 0 && f->cache == NULL)
            continue;
        log_print("sim: file %s has %u references%s left\n", f->path, f->references,
                  f->cache != NULL ? " and a cache" : "");
        left++;
    }
    return left;
}

void file_stop(void)
{
    while (files != NULL) {
        struct sim_file *next = files->next;
        free(files->data);
        free(files->late);
        free(files);
        files = next;
    }
}
