/* SPDX-License-Identifier: MIT */
/* Everything here runs with interrupts off, on whatever stack was interrupted, and looks at structures
 * that somebody may have been changing: so it takes no lock, allocates nothing and only reads. */
#include <kernel/console.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <quire/vm.h>
#include "device/power.h"
#include "device/serial.h"
#include "main/debugger.h"
#include "thread/scheduler.h"

#define LINE_SIZE 256

static void print_thread(const struct thread *thread)
{
    static const char *const states[] = {"ready", "running", "waiting", "dead"};
    log_printf("%p %-15s %-8s pid %d", (const void *)thread, thread->name, states[thread->state],
               thread->process != NULL ? thread->process->pid : 0);
    if (thread->state == THREAD_WAITING)
        log_printf(" at %p", (void *)thread->wait_address);
    log_printf("\n");
}

static void print_process(const struct process *process)
{
    static const char *const states[] = {"running", "stopped", "zombie"};
    log_printf("%5d parent %5d group %5d session %5d aspace %5ld %-8s %s\n", process->pid,
               process->parent != NULL ? process->parent->pid : 0, process->group, process->session,
               process->memory != NULL ? (long)process->memory->id : 0L, states[process->state],
               process->name);
}

static void print_help(void)
{
    log_printf("threads      all threads and what they wait at\n"
               "processes    all processes\n"
               "continue     go on\n"
               "reboot       stop the machine\n");
    vm_debugger_command("help");
}

enum debugger_result debugger_run(const char *line)
{
    while (*line == ' ')
        line++;
    if (strcmp(line, "continue") == 0)
        return DEBUGGER_CONTINUE;
    if (strcmp(line, "threads") == 0)
        thread_visit_all(print_thread);
    else if (strcmp(line, "processes") == 0)
        process_visit_all(print_process);
    else if (strcmp(line, "reboot") == 0)
        machine_stop(MACHINE_PANIC);
    else if (strcmp(line, "help") == 0)
        print_help();
    else if (*line != '\0' && vm_debugger_command(line) == ERR_NOT_FOUND) {
        log_printf("%s: no such command; help lists them\n", line);
        return DEBUGGER_UNKNOWN;
    }
    return DEBUGGER_RAN;
}

/* One line, echoed; false at the end of input. */
static bool read_line(char *line, size_t size)
{
    size_t length = 0;
    for (;;) {
        int byte = serial_poll_input();
        if (byte < 0)
            return false;
        if (byte == '\r' || byte == '\n')
            break;
        if ((byte == '\b' || byte == 0x7f) && length > 0) {
            length--;
            log_bytes("\b \b", 3);
        } else if (byte >= ' ' && byte < 0x7f && length + 1 < size) {
            line[length] = (char)byte;
            log_bytes(&line[length++], 1);
        }
    }
    line[length] = '\0';
    log_bytes("\n", 1);
    return true;
}

void debugger_enter(const char *why)
{
    char line[LINE_SIZE];
    log_printf("\ndebugger (%s): help lists the commands, continue goes on\n", why);
    do {
        log_printf("quire> ");
        if (!read_line(line, sizeof(line))) {
            log_printf("\n");
            return;
        }
    } while (debugger_run(line) != DEBUGGER_CONTINUE);
}

void debugger_after_panic(void)
{
    if (console_is_tty)
        debugger_enter("after a panic");
}
