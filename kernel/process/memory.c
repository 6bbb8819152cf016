/* SPDX-License-Identifier: MIT */
/* A program's address space, as processes hold it. */
#include <kernel/errno.h>
#include <kernel/string.h>
#include "process/tree.h"
#include "thread/scheduler.h"

static struct user_memory *wrap(aspace_id id)
{
    struct user_memory *memory = vm_meta_alloc(sizeof(*memory));
    if (memory == NULL) {
        vm_delete_aspace(id);
        return NULL;
    }
    memset(memory, 0, sizeof(*memory));
    memory->references = 1;
    memory->id = id;
    memory->aspace = vm_get_aspace_by_id(id);
    return memory;
}

struct user_memory *user_memory_create(const char *name)
{
    aspace_id id = vm_create_aspace(name, USER_BASE, USER_TOP - USER_BASE, false);
    return id < 0 ? NULL : wrap(id);
}

struct user_memory *user_memory_copy(struct user_memory *from, const char *name, int *error)
{
    aspace_id id = vm_copy_aspace(from->id, name);
    if (id < 0) {
        *error = errno_from_vm((int)id);
        return NULL;
    }
    struct user_memory *memory = wrap(id);
    if (memory == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    memory->brk_start = from->brk_start;
    memory->brk_end = from->brk_end;
    memory->arguments = from->arguments;
    memory->arguments_end = from->arguments_end;
    memory->environment_end = from->environment_end;
    memory->stack_top = from->stack_top;
    return memory;
}

void user_memory_acquire(struct user_memory *memory)
{
    __atomic_add_fetch(&memory->references, 1, __ATOMIC_RELAXED);
}

void user_memory_put(struct user_memory *memory)
{
    if (__atomic_sub_fetch(&memory->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    vm_delete_aspace(memory->id);
    vm_put_aspace(memory->aspace);
    vm_meta_free(memory, sizeof(*memory));
}

struct user_memory *process_get_memory(struct process *process)
{
    spin_lock(&process_lock);
    struct user_memory *memory = process->memory;
    if (memory != NULL)
        user_memory_acquire(memory);
    spin_unlock(&process_lock);
    return memory;
}

void process_leave_memory(struct process *process)
{
    spin_lock(&process_lock);
    bool borrowed = process->borrows_memory;
    process->borrows_memory = false;
    spin_unlock(&process_lock);
    if (borrowed)
        event_signal(&process->vfork_event);
}
