/* SPDX-License-Identifier: MIT */
/* What a process has of files: its descriptors, working directory and umask. */
#include "file.h"
#include <kernel/process.h>
#include <kernel/string.h>

enum { FIRST_CAPACITY = 32 };

struct fd_table *fd_table_current(void)
{
    return process_current()->files;
}

/* => lock held, or nobody else has the table yet. Room for descriptor `fd`. */
static int make_room(struct fd_table *table, unsigned fd)
{
    unsigned capacity = table->capacity != 0 ? table->capacity : FIRST_CAPACITY;
    if (fd < table->capacity)
        return 0;
    while (capacity <= fd)
        capacity *= 2;
    struct descriptor *larger = vm_meta_alloc(capacity * sizeof(*larger));
    if (larger == NULL)
        return -ENOMEM;
    memset(larger, 0, capacity * sizeof(*larger));
    if (table->descriptors != NULL) {
        memcpy(larger, table->descriptors, table->capacity * sizeof(*larger));
        vm_meta_free(table->descriptors, table->capacity * sizeof(*larger));
    }
    table->descriptors = larger;
    table->capacity = capacity;
    return 0;
}

static struct fd_table *create_with_room(struct vnode *cwd, unsigned capacity)
{
    struct fd_table *table = vm_meta_alloc(sizeof(*table));
    if (table == NULL)
        return NULL;
    memset(table, 0, sizeof(*table));
    if (make_room(table, capacity - 1) != 0) {
        vm_meta_free(table, sizeof(*table));
        return NULL;
    }
    vnode_acquire(cwd);
    table->cwd = cwd;
    table->umask = 022;
    return table;
}

struct fd_table *fd_table_create_at(struct vnode *cwd)
{
    return create_with_room(cwd, FIRST_CAPACITY);
}

struct fd_table *fd_table_copy(struct fd_table *from)
{
    mutex_lock(&from->lock);
    struct fd_table *table = create_with_room(from->cwd, from->capacity);
    if (table != NULL) {
        table->umask = from->umask;
        memcpy(table->descriptors, from->descriptors, from->capacity * sizeof(*from->descriptors));
        for (unsigned fd = 0; fd < from->capacity; fd++) {
            if (table->descriptors[fd].file != NULL)
                file_acquire(table->descriptors[fd].file);
        }
    }
    mutex_unlock(&from->lock);
    return table;
}

/* Closes all descriptors, or only those that close on exec. */
static void close_descriptors(struct fd_table *table, bool all)
{
    for (unsigned fd = 0; fd < table->capacity; fd++) {
        mutex_lock(&table->lock);
        struct descriptor *descriptor = &table->descriptors[fd];
        struct file *file = all || descriptor->close_on_exec ? descriptor->file : NULL;
        if (file != NULL)
            *descriptor = (struct descriptor){0};
        mutex_unlock(&table->lock);
        if (file != NULL)
            file_release(file);
    }
}

void fd_table_close_on_exec(struct fd_table *table)
{
    close_descriptors(table, false);
}

void fd_table_destroy(struct fd_table *table)
{
    if (table == NULL)
        return;
    close_descriptors(table, true);
    vnode_release(table->cwd);
    vm_meta_free(table->descriptors, table->capacity * sizeof(*table->descriptors));
    vm_meta_free(table, sizeof(*table));
}

struct vnode *fd_table_cwd(struct fd_table *table)
{
    mutex_lock(&table->lock);
    struct vnode *cwd = table->cwd;
    vnode_acquire(cwd);
    mutex_unlock(&table->lock);
    return cwd;
}

/* => lock held. NULL: no such open file. */
static struct descriptor *find(struct fd_table *table, int fd)
{
    if (fd < 0 || (unsigned)fd >= table->capacity || table->descriptors[fd].file == NULL)
        return NULL;
    return &table->descriptors[fd];
}

struct file *fd_get(struct fd_table *table, int fd)
{
    mutex_lock(&table->lock);
    struct descriptor *descriptor = find(table, fd);
    struct file *file = descriptor != NULL ? descriptor->file : NULL;
    if (file != NULL)
        file_acquire(file);
    mutex_unlock(&table->lock);
    return file;
}

/* => lock held. */
static int find_free(struct fd_table *table, unsigned low)
{
    unsigned fd = low;
    if (low >= FD_MAX)
        return -EINVAL;
    while (fd < table->capacity && table->descriptors[fd].file != NULL)
        fd++;
    if (fd >= FD_MAX)
        return -EMFILE;
    int error = make_room(table, fd);
    return error != 0 ? error : (int)fd;
}

int fd_install(struct fd_table *table, struct file *file, bool close_on_exec, unsigned low)
{
    mutex_lock(&table->lock);
    int fd = find_free(table, low);
    if (fd >= 0)
        table->descriptors[fd] = (struct descriptor){file, close_on_exec};
    mutex_unlock(&table->lock);
    if (fd < 0)
        file_release(file);
    return fd;
}

int fd_replace(struct fd_table *table, int fd, struct file *file, bool close_on_exec)
{
    struct file *old = file; /* what is to be released */
    int error = fd < 0 || fd >= FD_MAX ? -EBADF : 0;
    mutex_lock(&table->lock);
    if (error == 0)
        error = make_room(table, (unsigned)fd);
    if (error == 0) {
        old = table->descriptors[fd].file;
        table->descriptors[fd] = (struct descriptor){file, close_on_exec};
    }
    mutex_unlock(&table->lock);
    if (old != NULL)
        file_release(old);
    return error != 0 ? error : fd;
}

int fd_close(struct fd_table *table, int fd)
{
    mutex_lock(&table->lock);
    struct descriptor *descriptor = find(table, fd);
    struct file *file = descriptor != NULL ? descriptor->file : NULL;
    if (descriptor != NULL)
        *descriptor = (struct descriptor){0};
    mutex_unlock(&table->lock);
    if (file == NULL)
        return -EBADF;
    file_release(file);
    return 0;
}

int fd_close_on_exec(struct fd_table *table, int fd, int set)
{
    mutex_lock(&table->lock);
    struct descriptor *descriptor = find(table, fd);
    int result = descriptor != NULL ? descriptor->close_on_exec : -EBADF;
    if (descriptor != NULL && set >= 0)
        descriptor->close_on_exec = set != 0;
    mutex_unlock(&table->lock);
    return result;
}
