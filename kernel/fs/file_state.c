/* SPDX-License-Identifier: MIT */
/* What a process has of files: its descriptors, working directory and umask. */
#include "file.h"
#include <kernel/process.h>
#include <kernel/string.h>

enum { FIRST_CAPACITY = 32 };

struct file_state *file_state_current(void)
{
    return process_current()->files;
}

/* => lock held, or nobody else has the state yet. Room for descriptor `fd`. */
static int make_room(struct file_state *state, unsigned fd)
{
    unsigned capacity = state->capacity != 0 ? state->capacity : FIRST_CAPACITY;
    if (fd < state->capacity)
        return 0;
    while (capacity <= fd)
        capacity *= 2;
    struct descriptor *larger = vm_meta_alloc(capacity * sizeof(*larger));
    if (larger == NULL)
        return -ENOMEM;
    memset(larger, 0, capacity * sizeof(*larger));
    if (state->descriptors != NULL) {
        memcpy(larger, state->descriptors, state->capacity * sizeof(*larger));
        vm_meta_free(state->descriptors, state->capacity * sizeof(*larger));
    }
    state->descriptors = larger;
    state->capacity = capacity;
    return 0;
}

static struct file_state *create_with_room(struct vnode *cwd, unsigned capacity)
{
    struct file_state *state = vm_meta_alloc(sizeof(*state));
    if (state == NULL)
        return NULL;
    memset(state, 0, sizeof(*state));
    if (make_room(state, capacity - 1) != 0) {
        vm_meta_free(state, sizeof(*state));
        return NULL;
    }
    vnode_acquire(cwd);
    state->references = 1;
    state->cwd = cwd;
    state->umask = 022;
    return state;
}

struct file_state *file_state_create_at(struct vnode *cwd)
{
    return create_with_room(cwd, FIRST_CAPACITY);
}

struct file_state *file_state_copy(struct file_state *from)
{
    mutex_lock(&from->lock);
    struct file_state *state = create_with_room(from->cwd, from->capacity);
    if (state != NULL) {
        state->umask = from->umask;
        memcpy(state->descriptors, from->descriptors, from->capacity * sizeof(*from->descriptors));
        for (unsigned fd = 0; fd < from->capacity; fd++) {
            if (state->descriptors[fd].file != NULL)
                file_acquire(state->descriptors[fd].file);
        }
    }
    mutex_unlock(&from->lock);
    return state;
}

void file_state_close_on_exec(struct file_state *state)
{
    for (unsigned fd = 0; fd < state->capacity; fd++) {
        struct file *file = NULL;
        mutex_lock(&state->lock);
        if (state->descriptors[fd].close_on_exec) {
            file = state->descriptors[fd].file;
            state->descriptors[fd] = (struct descriptor){0};
        }
        mutex_unlock(&state->lock);
        if (file != NULL)
            file_release(file);
    }
}

/* Guards the pointers from processes, for those who look at other processes' files. */
static struct spinlock owner_lock = SPINLOCK_INIT;

struct file_state *file_state_of(struct process *process)
{
    spin_lock(&owner_lock);
    struct file_state *state = process->files;
    if (state != NULL)
        __atomic_add_fetch(&state->references, 1, __ATOMIC_RELAXED);
    spin_unlock(&owner_lock);
    return state;
}

void file_state_leave(struct process *process)
{
    spin_lock(&owner_lock);
    struct file_state *state = process->files;
    process->files = NULL;
    spin_unlock(&owner_lock);
    file_state_put(state);
}

void file_state_put(struct file_state *state)
{
    if (state == NULL || __atomic_sub_fetch(&state->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (unsigned fd = 0; fd < state->capacity; fd++) {
        if (state->descriptors[fd].file != NULL)
            file_release(state->descriptors[fd].file);
    }
    vnode_release(state->cwd);
    vm_meta_free(state->descriptors, state->capacity * sizeof(*state->descriptors));
    vm_meta_free(state, sizeof(*state));
}

struct vnode *file_state_cwd(struct file_state *state)
{
    mutex_lock(&state->lock);
    struct vnode *cwd = state->cwd;
    vnode_acquire(cwd);
    mutex_unlock(&state->lock);
    return cwd;
}

/* => lock held. NULL: no such open file. */
static struct descriptor *find(struct file_state *state, int fd)
{
    if (fd < 0 || (unsigned)fd >= state->capacity || state->descriptors[fd].file == NULL)
        return NULL;
    return &state->descriptors[fd];
}

struct file *fd_get(struct file_state *state, int fd)
{
    mutex_lock(&state->lock);
    struct descriptor *descriptor = find(state, fd);
    struct file *file = descriptor != NULL ? descriptor->file : NULL;
    if (file != NULL)
        file_acquire(file);
    mutex_unlock(&state->lock);
    return file;
}

/* => lock held. */
static int find_free(struct file_state *state, unsigned low)
{
    unsigned fd = low;
    if (low >= FD_MAX)
        return -EINVAL;
    while (fd < state->capacity && state->descriptors[fd].file != NULL)
        fd++;
    if (fd >= FD_MAX)
        return -EMFILE;
    int error = make_room(state, fd);
    return error != 0 ? error : (int)fd;
}

int fd_install(struct file_state *state, struct file *file, bool close_on_exec, unsigned low)
{
    mutex_lock(&state->lock);
    int fd = find_free(state, low);
    if (fd >= 0)
        state->descriptors[fd] = (struct descriptor){file, close_on_exec};
    mutex_unlock(&state->lock);
    if (fd < 0)
        file_release(file);
    return fd;
}

int fd_replace(struct file_state *state, int fd, struct file *file, bool close_on_exec)
{
    struct file *old = file; /* what is to be released */
    int error = fd < 0 || fd >= FD_MAX ? -EBADF : 0;
    mutex_lock(&state->lock);
    if (error == 0)
        error = make_room(state, (unsigned)fd);
    if (error == 0) {
        old = state->descriptors[fd].file;
        state->descriptors[fd] = (struct descriptor){file, close_on_exec};
    }
    mutex_unlock(&state->lock);
    if (old != NULL)
        file_release(old);
    return error != 0 ? error : fd;
}

int fd_close(struct file_state *state, int fd)
{
    mutex_lock(&state->lock);
    struct descriptor *descriptor = find(state, fd);
    struct file *file = descriptor != NULL ? descriptor->file : NULL;
    if (descriptor != NULL)
        *descriptor = (struct descriptor){0};
    mutex_unlock(&state->lock);
    if (file == NULL)
        return -EBADF;
    int error = file_take_write_error(file);
    file_release(file);
    return error;
}

int fd_close_on_exec(struct file_state *state, int fd, int set)
{
    mutex_lock(&state->lock);
    struct descriptor *descriptor = find(state, fd);
    int result = descriptor != NULL ? descriptor->close_on_exec : -EBADF;
    if (descriptor != NULL && set >= 0)
        descriptor->close_on_exec = set != 0;
    mutex_unlock(&state->lock);
    return result;
}
