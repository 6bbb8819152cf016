/* SPDX-License-Identifier: MIT */
/* The first process has no program: it is a kernel thread with the place of Linux's init in the tree.
 * So the program that is run is an ordinary process, which any signal may end, and orphans have
 * somebody who waits for them. */
#include <kernel/console.h>
#include <kernel/errno.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include "device/block.h"
#include "device/power.h"
#include "main/boot_info.h"
#include "main/debugger.h"
#include "process/exec.h"
#include "process/init.h"
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127
#define DAEMONS_NS (10 * NS_PER_SECOND)
#define LOOK_AGAIN_NS (NS_PER_SECOND / 1000)

void thread_enter_user(void);

static size_t free_before; /* frames, before the first program */

static size_t free_frames(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.free_pages + info.clear_pages;
}

static const char *exec_error_text(int error)
{
    switch (-error) {
    case ENOENT:
        return "no such file, or it needs a dynamic loader";
    case ENOEXEC:
        return "not a 64-bit x86 program, or a broken one";
    case EACCES:
        return "not an executable file";
    case ENOMEM:
        return "not enough memory";
    case E2BIG:
        return "too many arguments";
    default:
        return "can't be executed";
    }
}

/* => on the first program's thread */
static void program_run(void)
{
    static const char *const environment[] = {"PATH=/bin:/sbin:/usr/bin", "HOME=/", "TERM=linux",
                                              "PWD=/", NULL};
    finish_switch();
    interrupts_on();
    char **argv = &boot_info.words[boot_info.program];
    int error = (int)exec_first(thread_frame(thread_current()), argv[0], argv, environment);
    if (error == 0)
        return;
    log_printf("%s: %s (error %d)\n", argv[0], exec_error_text(error), -error);
    process_exit((error == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE) << 8);
}

static int32_t start_program(void)
{
    struct process *process = process_create("program");
    if (process == NULL || signals_init(process) != 0 || fs_start(process) != 0)
        panic("too little memory to start a program");
    struct thread *thread = process->thread;
    fpu_reset(thread);
    thread_prepare(thread, (addr_t)thread_frame(thread), program_run, thread_enter_user);
    process->exit_signal = SIGCHLD;
    process_publish(process, init_process);
    int32_t pid = process->pid;
    thread_make_ready(thread);
    return pid;
}

/* The status of the program as wait4 gives it; orphans that end before it are reaped. */
static int wait_for(int32_t pid)
{
    struct wait_result result;
    do {
        if (process_wait(P_ALL, 0, WEXITED, &result) < 0)
            panic("the program has got lost");
    } while (result.pid != pid);
    return result.status;
}

static void end_everybody(void)
{
    struct wait_result result;
    while (process_count() > 1) {
        for (struct process *process = process_next(INIT_PID); process != NULL;) {
            int32_t pid = process->pid;
            signal_send_number(process, SIGKILL);
            process_put(process);
            process = process_next(pid);
        }
        (void)process_wait(P_ALL, 0, WEXITED, &result);
    }
}

static void run_debug_commands(void)
{
    const char *command;
    for (unsigned i = 0; (command = command_line_option("debug", i)) != NULL; i++)
        if (debugger_run(command) == DEBUGGER_UNKNOWN)
            log_record("unknown");
}

static void print_statistics(void)
{
    vm_info i;
    vm_get_info(&i);
    log_record("stats page_faults=%lu read_faults=%lu write_faults=%lu execute_faults=%lu"
               " failed_faults=%lu kernel_recoveries=%lu zero_fills=%lu copies=%lu reuses=%lu"
               " page_ins=%lu mapped_around=%lu file_pages_shared=%lu page_outs=%lu tlb_flushes=%lu"
               " forks=%lu merges=%lu most_regions=%zu most_aspaces=%zu deepest_chain=%u"
               " free_before=%zu free_after=%zu",
               i.page_faults, i.read_faults, i.write_faults, i.execute_faults, i.failed_faults,
               i.kernel_recoveries, i.zero_fills, i.copies, i.reuses, i.page_ins, i.mapped_around,
               i.file_pages_shared, i.page_outs, i.tlb_flushes, i.forks, i.merges, i.most_regions,
               i.most_aspaces, i.deepest_chain, free_before, i.free_pages + i.clear_pages);
}

static void print_paging(void)
{
    vm_info i;
    vm_get_info(&i);
    log_record("stats swap_outs=%lu swap_ins=%lu file_ins=%lu major_faults=%lu evictions=%lu "
               "clean_evictions=%lu refaults=%lu"
               " kept=%lu collections=%lu reclaim_waits=%lu",
               i.swap_outs, i.swap_ins, i.page_ins - i.swap_ins, i.major_faults, i.evictions,
               i.clean_evictions, i.refaults, i.kept, i.collections, i.reclaim_waits);
}

static void print_disks(void)
{
    for (unsigned i = 0; i < block_count(); i++) {
        const struct block_device *d = block_at(i);
        log_record("stats %s_reads=%lu %s_writes=%lu %s_bytes_read=%lu %s_bytes_written=%lu"
                   " %s_errors=%lu",
                   d->name, d->reads, d->name, d->writes, d->name, d->bytes_read, d->name,
                   d->bytes_written, d->name, d->errors);
    }
}

void init_print_figures(void)
{
    print_statistics();
    print_paging();
    print_disks();
    log_record("figures");
}

/* Shell's way: 128 + the signal that ended it. */
static int exit_code(int status)
{
    return (status & 0x7f) != 0 ? 128 + (status & 0x7f) : status >> 8;
}

static void report(int status, int unwritten)
{
    const char *statistics = command_line_option("stats", 0);
    size_t before = free_before, after = free_frames();
    if (statistics != NULL && strcmp(statistics, "1") == 0)
        init_print_figures();
    if (unwritten != 0)
        log_record("unwritten");
    if (after != before) {
        log_printf("leak: %zu frames were free before the run, %zu are free after it\n", before,
                   after);
        log_record("leak %ld", (long)before - (long)after);
    }
    log_record("exit %d", exit_code(status));
}

/* What is only kept for the next request is no leak. */
static void settle(void)
{
    thread_trim(0);
    vm_trim();
}

/* A page daemon that is writing has hold of what the last program has left, and gives it back when it is
 * done. */
static void wait_for_daemons(void)
{
    uint64_t deadline = time_monotonic() + DAEMONS_NS;
    vm_info info;
    for (vm_get_info(&info); info.busy_pages > 0 && time_monotonic() < deadline; vm_get_info(&info))
        (void)thread_sleep_until(time_monotonic() + LOOK_AGAIN_NS, WAIT_ALWAYS);
}

static int init_run(void *unused)
{
    (void)unused;
    if (boot_info.program == boot_info.word_count)
        panic("no program on the command line: write -- and its path");
    if (boot_info.archive_size == 0)
        panic("no initial file system: give QEMU -initrd");
    block_init();
    swap_init();
    settle();
    free_before = free_frames();
    int error = fs_init(boot_info.archive, boot_info.archive_size);
    if (error != 0)
        panic("the initial file system can't be used (error %d)", -error);
    int status = wait_for(start_program());
    end_everybody();
    wait_for_daemons();
    run_debug_commands();
    int unwritten = fs_release_files();
    settle();
    report(status, unwritten);
    machine_stop(MACHINE_END);
}

void init_start(void)
{
    init_process = process_create("init");
    if (init_process == NULL || signals_init(init_process) != 0)
        panic("too little memory to boot");
    process_publish(init_process, NULL);
    struct thread *thread = init_process->thread;
    thread->function = init_run;
    fpu_reset(thread);
    kernel_thread_start(thread);
}
