/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASE_SECONDS 30

const char *own_path;
static const char *current_case = "?";

/* ---- words ---- */

struct name {
    int value;
    const char *name;
};

#define NAME(value)                                                                                \
    {                                                                                              \
        value, #value                                                                              \
    }

static const char *find_name(const struct name *names, size_t count, int value)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].value == value)
            return names[i].name;
    return NULL;
}

const char *error_name(int error)
{
    static const struct name names[] = {
        NAME(EPERM),  NAME(ENOENT), NAME(ESRCH),     NAME(EINTR),      NAME(EIO),
        NAME(ENXIO),  NAME(E2BIG),  NAME(ENOEXEC),   NAME(EBADF),      NAME(ECHILD),
        NAME(EAGAIN), NAME(ENOMEM), NAME(EACCES),    NAME(EFAULT),     NAME(EBUSY),
        NAME(EEXIST), NAME(ENODEV), NAME(ENOTDIR),   NAME(EISDIR),     NAME(EINVAL),
        NAME(EMFILE), NAME(ENOTTY), NAME(ETXTBSY),   NAME(EFBIG),      NAME(ENOSPC),
        NAME(ESPIPE), NAME(EROFS),  NAME(EPIPE),     NAME(ERANGE),     NAME(ENAMETOOLONG),
        NAME(ENOSYS), NAME(ELOOP),  NAME(EOVERFLOW), NAME(EOPNOTSUPP), NAME(ENOTEMPTY),
        NAME(EXDEV),
    };
    static char number[24];
    const char *name = find_name(names, sizeof(names) / sizeof(*names), error);
    if (name == NULL)
        snprintf(number, sizeof(number), "errno %d", error);
    return name != NULL ? name : number;
}

const char *signal_name(int number)
{
    static const struct name names[] = {
        NAME(SIGHUP),  NAME(SIGINT),  NAME(SIGQUIT), NAME(SIGILL),  NAME(SIGTRAP), NAME(SIGABRT),
        NAME(SIGBUS),  NAME(SIGFPE),  NAME(SIGKILL), NAME(SIGUSR1), NAME(SIGSEGV), NAME(SIGUSR2),
        NAME(SIGPIPE), NAME(SIGALRM), NAME(SIGTERM), NAME(SIGCHLD), NAME(SIGSYS),
    };
    const char *name = find_name(names, sizeof(names) / sizeof(*names), number);
    return name != NULL ? name : "another signal";
}

static const char *code_name(int number, int code)
{
    static const struct name segv[] = {NAME(SEGV_MAPERR), NAME(SEGV_ACCERR)};
    static const struct name bus[] = {NAME(BUS_ADRALN), NAME(BUS_ADRERR), NAME(BUS_OBJERR)};
    static char text[24];
    const char *name = NULL;
    if (number == SIGSEGV)
        name = find_name(segv, 2, code);
    if (number == SIGBUS)
        name = find_name(bus, 3, code);
    if (name == NULL)
        snprintf(text, sizeof(text), "code %d", code);
    return name != NULL ? name : text;
}

/* One write for each line, so that lines of several processes don't mix. */
void say(const char *format, ...)
{
    char line[512];
    int start = snprintf(line, sizeof(line), "%s: ", current_case);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + start, sizeof(line) - (size_t)start - 1, format, arguments);
    va_end(arguments);
    size_t total = (size_t)(start + length);
    if (total > sizeof(line) - 1)
        total = sizeof(line) - 1;
    line[total++] = '\n';
    if (write(STDOUT_FILENO, line, total) < 0)
        _exit(99);
}

void say_result(const char *step, long result)
{
    if (result == -1)
        say("%s = -1 %s", step, error_name(errno));
    else
        say("%s = %ld", step, result);
}

void say_mapped(const char *step, const void *result)
{
    if (result == MAP_FAILED)
        say("%s = -1 %s", step, error_name(errno));
    else
        say("%s = mapped", step);
}

void say_whether(const char *step, bool value)
{
    say("%s: %s", step, value ? "yes" : "no");
}

void say_wait_status(const char *step, int status)
{
    if (WIFEXITED(status))
        say("%s: exit %d", step, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        say("%s: killed by %s", step, signal_name(WTERMSIG(status)));
    else
        say("%s: status %#x", step, (unsigned)status);
}

void must(bool condition, const char *what)
{
    if (condition)
        return;
    say("can't go on: %s: %s", what, error_name(errno));
    _exit(98);
}

/* ---- accesses ---- */

static sigjmp_buf recovery;
static volatile int caught_signal, caught_code;
static void *volatile caught_address;

static void catch_fault(int number, siginfo_t *information, void *context)
{
    (void)context;
    caught_signal = number;
    caught_code = information->si_code;
    caught_address = information->si_addr;
    siglongjmp(recovery, 1);
}

static void do_access(enum access_kind kind, void *address)
{
    volatile uint8_t *byte = address;
    switch (kind) {
    case ACCESS_READ:
        (void)*byte;
        break;
    case ACCESS_WRITE:
        *byte = (uint8_t)(*byte + 1);
        break;
    case ACCESS_CALL: {
        int (*function)(void);
        memcpy(&function, &address, sizeof(function));
        say("  it returned %d", function());
        break;
    }
    }
}

void say_access(const char *step, enum access_kind kind, void *address)
{
    static const int signals[] = {SIGSEGV, SIGBUS};
    struct sigaction action = {.sa_sigaction = catch_fault, .sa_flags = SA_SIGINFO};
    struct sigaction old[2];
    for (int i = 0; i < 2; i++)
        sigaction(signals[i], &action, &old[i]);
    if (sigsetjmp(recovery, 1) == 0) {
        do_access(kind, address);
        say("%s: ok", step);
    } else {
        say("%s: %s %s, %s", step, signal_name(caught_signal),
            code_name(caught_signal, caught_code),
            caught_address == address ? "there"
            : caught_address == NULL  ? "no address"
                                      : "elsewhere");
    }
    for (int i = 0; i < 2; i++)
        sigaction(signals[i], &old[i], NULL);
}

/* ---- what cases need ---- */

static uint8_t *map_memory(size_t pages, int flags)
{
    void *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED, "mmap");
    return memory;
}

uint8_t *map_pages(size_t pages)
{
    return map_memory(pages, MAP_PRIVATE);
}

uint8_t *map_shared_pages(size_t pages)
{
    return map_memory(pages, MAP_SHARED);
}

void fill_pages(uint8_t *memory, size_t pages, int first)
{
    for (size_t i = 0; i < pages; i++)
        memset(memory + i * PAGE, (int)i + first, PAGE);
}

void say_pages(const char *step, const uint8_t *memory, size_t pages)
{
    char text[256];
    size_t length = 0;
    for (size_t i = 0; i < pages && length + 8 < sizeof(text); i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, " %d", memory[i * PAGE]);
    say("%s:%s", step, text);
}

int make_file(const char *path, size_t size)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    must(file >= 0, path);
    uint8_t page[PAGE];
    for (size_t done = 0; done < size; done += PAGE) {
        size_t length = size - done < PAGE ? size - done : PAGE;
        memset(page, (int)(done / PAGE) + 1, PAGE);
        must(write(file, page, length) == (ssize_t)length, "write");
    }
    return file;
}

void in_child(const char *step, void (*function)(void *), void *argument)
{
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        function(argument);
        _exit(0);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child, "waitpid");
    say_wait_status(step, status);
}

/* ---- running them ---- */

static const struct guest_case *const all_cases[] = {
    mmap_cases,    fixed_cases,   unmap_cases,   protect_cases, remap_cases,    advise_cases,
    lock_cases,    brk_cases,     figures_cases, file_cases,    truncate_cases, fork_cases,
    process_cases, signal_cases,  fault_cases,   stack_cases,   pointer_cases,  descriptor_cases,
    exec_cases,    hostile_cases, random_cases,
};

/* A program that starts with an alarm set, a handler or a mask inherited would see other things
 * than its twin. */
static void run_case(const struct guest_case *item)
{
    current_case = item->name;
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        alarm(CASE_SECONDS);
        item->run();
        _exit(0);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child, "waitpid");
    say_wait_status("end", status);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(name, argv[i], strlen(argv[i])) == 0)
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    own_path = argv[0];
    if (argc > 1 && strcmp(argv[1], "--again") == 0)
        return again(argc, argv);
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
    for (size_t i = 0; i < sizeof(all_cases) / sizeof(*all_cases); i++)
        for (const struct guest_case *item = all_cases[i]; item->name != NULL; item++) {
            if (list)
                puts(item->name);
            else if (is_wanted(item->name, argc, argv))
                run_case(item);
        }
    return 0;
}
