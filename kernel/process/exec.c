/* SPDX-License-Identifier: MIT */
/* execve. Everything is built in an address space of its own; only when nothing can fail any more does
 * the process change over to it. */
#include <kernel/errno.h>
#include <kernel/string.h>
#include <quire/host.h>
#include "process/arguments.h"
#include "process/exec.h"
#include "process/script.h"
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

#define STACK_FIRST_SIZE 0x20000ul /* besides the arguments, as Linux has it */

/* Where the strings come from: a program's arrays, or the kernel's. */
struct exec_source {
    addr_t user_argv, user_environment;
    char *const *argv;
    const char *const *environment;
};

/* All of an execve under way; too large for the stack. */
struct exec {
    struct script script;
    struct elf_program program;
    struct user_memory *memory; /* the new one */
    addr_t stack;
    struct arguments arguments; /* last: the end of it needs no clearing */
};
_Static_assert(sizeof(struct exec) <= VM_PAGE_SIZE, "exec_create");
_Static_assert(ELF_MAX_SEGMENTS * sizeof(struct elf_segment) <= VM_PAGE_SIZE, "exec_create");

static void *allocate_page(void)
{
    addr_t physical;
    return vm_allocate_frames(1, false, &physical) == VM_OK ? host_frame_ptr(physical) : NULL;
}

static void free_page(void *page)
{
    if (page != NULL)
        vm_free_frames((addr_t)page - (addr_t)host_frame_ptr(0), 1);
}

static void exec_free(struct exec *exec)
{
    if (exec->memory != NULL)
        user_memory_put(exec->memory);
    script_free(&exec->script);
    arguments_free(&exec->arguments);
    free_page(exec->program.segments);
    free_page(exec);
}

static struct exec *exec_create(void)
{
    struct exec *exec = allocate_page();
    if (exec == NULL)
        return NULL;
    memset(exec, 0, offsetof(struct exec, arguments.pages));
    exec->program.segments = allocate_page();
    if (exec->program.segments == NULL) {
        exec_free(exec);
        return NULL;
    }
    return exec;
}

static int read_headers(struct exec *exec)
{
    struct elf_program *program = &exec->program;
    uint64_t file_size = (uint64_t)host_vnode_size(exec->script.vnode);
    if (exec->script.head_size < sizeof(program->header))
        return -ENOEXEC;
    memcpy(&program->header, exec->script.head, sizeof(program->header));
    int error = elf_check_header(&program->header, file_size);
    if (error != 0)
        return error;
    size_t done, size = program->header.program_header_count * sizeof(struct elf_segment);
    error = script_read_file(exec->script.vnode, (off_t)program->header.program_headers,
                             program->segments, size, &done);
    if (error != 0)
        return error;
    return done == size ? elf_check_segments(program, file_size) : -ENOEXEC;
}

static int add_kernel_array(struct arguments *arguments, const char *const *array, unsigned *count)
{
    int error = 0;
    for (; *array != NULL && error == 0; array++, ++*count)
        error = arguments_add(arguments, *array);
    return error;
}

static int collect_arguments(struct exec *exec, const struct exec_source *source, const char *path)
{
    struct arguments *arguments = &exec->arguments;
    unsigned prefix = exec->script.prefix_count;
    int error = 0;
    for (unsigned i = prefix; i-- > 0 && error == 0; arguments->argument_count++)
        error = arguments_add(arguments, exec->script.prefix[i]);
    unsigned skip = prefix > 0 ? 1 : 0;
    if (error == 0 && source->argv != NULL)
        error = add_kernel_array(arguments, (const char *const *)source->argv + skip,
                                 &arguments->argument_count);
    else if (error == 0)
        error = arguments_add_array(arguments, source->user_argv, skip, &arguments->argument_count);
    /* An empty argv is a trap for programs that count from 1: they get an empty name, as in Linux. */
    if (error == 0 && arguments->argument_count == 0) {
        error = arguments_add(arguments, "");
        arguments->argument_count = 1;
    }
    arguments->environment_start = arguments->used;
    if (error == 0 && source->argv != NULL)
        error = add_kernel_array(arguments, source->environment, &arguments->environment_count);
    else if (error == 0)
        error = arguments_add_array(arguments, source->user_environment, 0,
                                    &arguments->environment_count);
    arguments->path_start = arguments->used;
    return error == 0 ? arguments_add(arguments, path) : error;
}

static int create_stack(struct exec *exec)
{
    addr_t size = arguments_size(&exec->arguments) + STACK_FIRST_SIZE;
    size = (size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    void *address = (void *)(USER_TOP - size);
    region_id region =
        vm_create_anonymous_region(exec->memory->id, "stack", &address, REGION_ADDR_EXACT_ADDRESS,
                                   size, REGION_WIRING_LAZY, LOCK_RW | REGION_GROWS_DOWN);
    return region >= 0 ? 0 : errno_from_vm((int)region);
}

/* What needs the new address space to be the current one. */
static int fill_memory(struct exec *exec)
{
    int error = elf_clear_tails(&exec->program);
    return error != 0 ? error
                      : arguments_put(&exec->arguments, &exec->program, USER_TOP, exec->memory,
                                      &exec->stack);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int build_memory(struct exec *exec, const char *name)
{
    exec->memory = user_memory_create(name);
    if (exec->memory == NULL)
        return -ENOMEM;
    int error = elf_map(&exec->program, exec->memory->id, exec->script.vnode, name);
    if (error == 0)
        error = create_stack(exec);
    if (error != 0)
        return error;
    struct user_memory *old = thread_current()->memory;
    thread_use_memory(exec->memory);
    error = fill_memory(exec);
    if (error != 0)
        thread_use_memory(old);
    exec->memory->brk_start = exec->memory->brk_end = exec->program.high + exec->program.bias;
    return error;
}

static void set_frame(struct trap_frame *frame, addr_t entry, addr_t stack)
{
    memset(frame, 0, sizeof(*frame));
    frame->rip = entry;
    frame->cs = SELECTOR_USER_CODE;
    frame->rflags = 0x202;
    frame->rsp = stack;
    frame->ss = SELECTOR_USER_DATA;
    frame_changed();
}

static void reset_thread(const char *name)
{
    struct thread *thread = thread_current();
    strlcpy(thread->name, name, sizeof(thread->name));
    fpu_reset(thread);
    fpu_load(thread->fpu);
    thread_set_fs_base(0);
    thread_set_gs_base(0);
}

/* Nothing fails from here on. */
static void change_over(struct exec *exec, struct trap_frame *frame, const char *name)
{
    struct process *process = process_current();
    spin_lock(&process_lock);
    struct user_memory *old = process->memory;
    process->memory = exec->memory;
    process->has_execed = true;
    strlcpy(process->name, name, sizeof(process->name));
    spin_unlock(&process_lock);
    exec->memory = NULL;
    process_leave_memory(process);
    if (old != NULL)
        user_memory_put(old);
    void *old_executable = process->executable;
    process->executable = exec->script.vnode;
    exec->script.vnode = NULL;
    if (old_executable != NULL)
        host_vnode_release(old_executable);
    fs_exec(process);
    signals_exec(process);
    reset_thread(name);
    set_frame(frame, exec->program.entry, exec->stack);
}

static int64_t exec_run(struct trap_frame *frame, const char *path,
                        const struct exec_source *source)
{
    char name[PROCESS_NAME_LENGTH];
    struct exec *exec = exec_create();
    if (exec == NULL)
        return -ENOMEM;
    int error = script_resolve(&exec->script, path);
    if (error == 0)
        error = read_headers(exec);
    if (error == 0)
        error = collect_arguments(exec, source, path);
    if (error == 0) {
        strlcpy(name, base_name(path), sizeof(name));
        error = build_memory(exec, name);
    }
    if (error == 0)
        change_over(exec, frame, name);
    exec_free(exec);
    return error;
}

int64_t process_exec(struct trap_frame *frame, const char *path, addr_t argv, addr_t envp)
{
    struct exec_source source = {.user_argv = argv, .user_environment = envp};
    return exec_run(frame, path, &source);
}

int64_t exec_first(struct trap_frame *frame, const char *path, char *const *argv,
                   const char *const *environment)
{
    struct exec_source source = {.argv = argv, .environment = environment};
    return exec_run(frame, path, &source);
}
