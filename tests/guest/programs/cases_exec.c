/* SPDX-License-Identifier: MIT */
/* execve: what is carried over, and files that are no good programs. */
#include "cases.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- what `own_path --again` does ---- */

static void show_arguments(int argc, char **argv)
{
    size_t length = 0, variables = 0;
    for (int i = 0; i < argc; i++)
        length += strlen(argv[i]);
    for (char **variable = environ; *variable != NULL; variable++)
        variables++;
    say("again: %d arguments, %zu bytes, last %.20s, %zu variables", argc, length, argv[argc - 1],
        variables);
}

static void show_state(void)
{
    struct sigaction action;
    sigset_t mask;
    stack_t stack;
    sigaction(SIGUSR1, NULL, &action);
    say_whether("again: SIGUSR1 by default", action.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, NULL, &action);
    say_whether("again: SIGUSR2 ignored", action.sa_handler == SIG_IGN);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    say_whether("again: SIGTERM blocked", sigismember(&mask, SIGTERM) == 1);
    sigaltstack(NULL, &stack);
    say_whether("again: no other stack", (stack.ss_flags & SS_DISABLE) != 0);
    CALL("again: file 50", fcntl(50, F_GETFD));
    CALL("again: file 51", fcntl(51, F_GETFD));
}

int again(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "";
    if (strcmp(what, "arguments") == 0)
        show_arguments(argc, argv);
    else if (strcmp(what, "state") == 0)
        show_state();
    else if (strcmp(what, "exit") == 0)
        return 21;
    return 0;
}

/* ---- the cases ---- */

static void run_again(const char *what, char *const *environment)
{
    char *arguments[] = {(char *)(uintptr_t)own_path, (char *)(uintptr_t) "--again",
                         (char *)(uintptr_t)what, NULL};
    execve(own_path, arguments, environment);
    say_result("execve", -1);
}

static void exits(void *argument)
{
    (void)argument;
    run_again("exit", environ);
}

static void ends(void)
{
    in_child("child", exits, NULL);
    for (int i = 0; i < 20; i++)
        if (fork() == 0) {
            exits(NULL);
            _exit(1);
        }
    int good = 0, status;
    while (wait(&status) > 0)
        good += WIFEXITED(status) && WEXITSTATUS(status) == 21;
    say("of 20 at once, good: %d", good);
}

static void with_arguments(void *argument)
{
    enum { COUNT = 500 };
    static char *arguments[COUNT + 1];
    char *variables[] = {(char *)(uintptr_t) "A=1", (char *)(uintptr_t) "B=", NULL};
    (void)argument;
    arguments[0] = (char *)(uintptr_t)own_path;
    arguments[1] = (char *)(uintptr_t) "--again";
    arguments[2] = (char *)(uintptr_t) "arguments";
    for (int i = 3; i < COUNT; i++)
        arguments[i] = (char *)(uintptr_t) "an argument of 26 letters.";
    /* argv[0] differs between machines, so its length may not count. */
    arguments[0] = (char *)(uintptr_t) "zero";
    execve(own_path, arguments, variables);
    say_result("execve", -1);
}

static void with_a_long_argument(void *argument)
{
    size_t size = (size_t)argument;
    char *text = malloc(size);
    must(text != NULL, "malloc");
    memset(text, 'l', size - 1);
    text[size - 1] = '\0';
    char *arguments[] = {(char *)(uintptr_t) "zero", (char *)(uintptr_t) "--again",
                         (char *)(uintptr_t) "arguments", text, NULL};
    char *variables[] = {NULL};
    execve(own_path, arguments, variables);
    say_result("execve", -1);
}

static void arguments(void)
{
    in_child("many", with_arguments, NULL);
    in_child("50,000 bytes", with_a_long_argument, (void *)50000);
    in_child("200,000 bytes", with_a_long_argument, (void *)200000);
}

static void note(int number)
{
    (void)number;
}

static void set_state(void *argument)
{
    sigset_t set;
    uint8_t *memory = map_pages(16);
    stack_t stack = {.ss_sp = memory, .ss_size = 16 * PAGE};
    (void)argument;
    sigaltstack(&stack, NULL);
    signal(SIGUSR1, note);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int file = make_file("tmp/carried", 1);
    must(dup2(file, 50) == 50 && dup2(file, 51) == 51, "dup2");
    must(fcntl(51, F_SETFD, FD_CLOEXEC) == 0, "fcntl");
    run_again("state", environ);
}

static void state(void)
{
    in_child("child", set_state, NULL);
}

static void write_file(const char *path, const void *bytes, size_t size, mode_t mode)
{
    unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    must(file >= 0 && write(file, bytes, size) == (ssize_t)size, path);
    close(file);
}

static void try_exec(const char *step, const char *path)
{
    char *list[] = {(char *)(uintptr_t)path, NULL};
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        execve(path, list, environ);
        say_result(step, -1);
        _exit(1);
    }
    waitpid(child, NULL, 0);
}

static void no_programs(void)
{
    static char long_name[300];
    memset(long_name, 'n', sizeof(long_name) - 1);
    write_file("tmp/text", "just some words\n", 16, 0755);
    write_file("tmp/nothing", "", 0, 0755);
    write_file("tmp/rights", "\177ELF", 4, 0644);
    write_file("tmp/magic", "\177ELF", 4, 0755);
    try_exec("nothing", "tmp/is_not_there");
    try_exec("below a file", "tmp/text/x");
    try_exec("an empty path", "");
    try_exec("a long name", long_name);
    try_exec("a directory", "tmp");
    try_exec("text", "tmp/text");
    try_exec("an empty file", "tmp/nothing");
    try_exec("not executable", "tmp/rights");
    try_exec("four bytes", "tmp/magic");
}

/* The smallest program there is: it exits with 42. Each hostile file differs from it in one field. */
struct tiny {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    uint8_t code[16];
};

static struct tiny make_tiny(void)
{
    struct tiny tiny = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                               EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_version = EV_CURRENT,
                   .e_entry = 0x400000 + offsetof(struct tiny, code),
                   .e_phoff = offsetof(struct tiny, segment),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1},
        .segment = {.p_type = PT_LOAD,
                    .p_flags = PF_R | PF_X,
                    .p_vaddr = 0x400000,
                    .p_filesz = sizeof(struct tiny),
                    .p_memsz = sizeof(struct tiny),
                    .p_align = 0x1000},
        /* mov $60, %eax; mov $42, %edi; syscall */
        .code = {0xb8, 60, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05},
    };
    return tiny;
}

static void spoil_segment(struct tiny *tiny, int way)
{
    switch (way) {
    case 8:
        tiny->segment.p_vaddr = 0xffff800000000000;
        break;
    case 9:
        tiny->segment.p_vaddr = 0x7fffffffe000;
        tiny->segment.p_memsz = 1 << 20;
        break;
    case 10:
        tiny->segment.p_memsz = (uint64_t)1 << 50;
        break;
    case 11:
        tiny->segment.p_memsz = (uint64_t)-1;
        break;
    case 12:
        tiny->segment.p_filesz = 0x100000; /* more than memsz */
        break;
    case 13:
        tiny->segment.p_offset = 0x123; /* not congruent to vaddr */
        break;
    case 16:
        tiny->segment.p_type = PT_NULL; /* nothing to load */
        break;
    case 17:
        tiny->segment.p_flags = PF_R | PF_W; /* no code */
        break;
    case 19:
        tiny->segment.p_filesz = tiny->segment.p_memsz = 0;
        break;
    }
}

static void spoil(struct tiny *tiny, int way)
{
    switch (way) {
    case 1:
        tiny->header.e_machine = EM_AARCH64;
        break;
    case 2:
        tiny->header.e_type = ET_REL;
        break;
    case 3:
        tiny->header.e_phnum = 0;
        break;
    case 4:
        tiny->header.e_phentsize = 1;
        break;
    case 5:
        tiny->header.e_phoff = (uint64_t)1 << 40;
        break;
    case 6:
        tiny->header.e_phoff = (uint64_t)-8;
        break;
    case 7:
        tiny->header.e_phnum = 65535;
        break;
    case 14:
        tiny->header.e_entry = 0xffff800000000000;
        break;
    case 15:
        tiny->header.e_entry = 0;
        break;
    case 18:
        tiny->header.e_entry = 0x8000000000000000;
        break;
    default:
        spoil_segment(tiny, way);
    }
}

enum { WAYS = 20 };

static void run_tiny(void *argument)
{
    char *list[] = {(char *)(uintptr_t) "tmp/tiny", NULL};
    (void)argument;
    execve(list[0], list, environ);
    _exit(100);
}

/* Linux finds some of these out before it gives up the old program, some after: alike is only that
 * nothing of it has run. */
static void hostile_files(void)
{
    for (int way = 0; way < WAYS; way++) {
        struct tiny tiny = make_tiny();
        spoil(&tiny, way);
        write_file("tmp/tiny", &tiny, sizeof(tiny), 0755);
        pid_t child = fork();
        must(child >= 0, "fork");
        if (child == 0)
            run_tiny(NULL);
        int status = 0;
        must(waitpid(child, &status, 0) == child, "waitpid");
        bool ran = WIFEXITED(status) && WEXITSTATUS(status) == 42;
        say("way %d: %s", way, ran ? "it ran" : "it didn't run");
    }
}

static void truncated_files(void)
{
    struct tiny tiny = make_tiny();
    static const size_t sizes[] = {1, 4, 16, 63, 64, 65, 119};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        write_file("tmp/tiny", &tiny, sizes[i], 0755);
        try_exec("truncated", "tmp/tiny");
    }
    write_file("tmp/tiny", &tiny, sizeof(tiny), 0755);
    in_child("whole", run_tiny, NULL);
}

const struct guest_case exec_cases[] = {
    {"exec.ends", ends},
    {"exec.arguments", arguments},
    {"exec.state", state},
    {"exec.no_programs", no_programs},
    {"exec.hostile_files", hostile_files},
    {"exec.truncated_files", truncated_files},
    {NULL, NULL},
};
