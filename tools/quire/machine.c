/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "terminal.h"

#define QEMU "qemu-system-x86_64"
#define MAX_ARGUMENTS 192
/* What QEMU passes on to a kernel that it starts by PVH, its NUL too; and what the kernel has room for. */
#define MAX_COMMAND_LINE 4096
#define MAX_WORDS 128

/* ---- the kernel's command line ---- */

/* Words are separated by spaces, so everything unusual in them is %XX; an empty word is "%". */
static void put_word(FILE *out, const char *word)
{
    if (*word == '\0')
        fputc('%', out);
    for (; *word != '\0'; word++) {
        if (isalnum((unsigned char)*word) || strchr("/._-+,:@=", *word) != NULL)
            fputc(*word, out);
        else
            fprintf(out, "%%%02X", (unsigned char)*word);
    }
}

/* As the kernel's disk_file.h has it. */
static void put_disks(FILE *out, const struct disks *disks)
{
    for (size_t i = 0; i < disks->count; i++) {
        const struct disk *disk = &disks->items[i];
        if (disk->guest == NULL)
            continue;
        fprintf(out, " disk=%s,%llu,%s,", disk->name, (unsigned long long)disk->size,
                disk->read_only ? "ro" : "rw");
        put_word(out, disk->guest);
    }
}

static void put_command_line(FILE *out, const struct machine_parts *parts)
{
    const struct boot_options *options = parts->options;
    unsigned rows, columns;
    terminal_size(&rows, &columns);
    fprintf(out, "tty=%d rows=%u cols=%u stats=%d", terminal_is_interactive(), rows, columns,
            options->stats || options->json != NULL);
    for (size_t i = 0; i < options->debug.count; i++) {
        fputs(" debug=", out);
        put_word(out, options->debug.items[i]);
    }
    put_disks(out, parts->disks);
    fputs(" -- ", out);
    put_word(out, parts->program);
    if (options->program == NULL)
        fputs(" sh", out);
    for (char **argument = options->arguments; argument != NULL && *argument != NULL; argument++) {
        fputc(' ', out);
        put_word(out, *argument);
    }
}

static int make_command_line(const struct machine_parts *parts, char **line)
{
    size_t length = 0;
    FILE *out = open_memstream(line, &length);
    if (out == NULL)
        return fail_no_memory();
    put_command_line(out, parts);
    if (fclose(out) != 0)
        return fail_no_memory();
    size_t words = 1;
    for (const char *space = strchr(*line, ' '); space != NULL; space = strchr(space + 1, ' '))
        words++;
    if (length < MAX_COMMAND_LINE && words <= MAX_WORDS)
        return 0;
    free(*line);
    *line = NULL;
    if (words > MAX_WORDS)
        return fail(STATUS_ERROR, "the program has too many arguments: %zu words, of %d at most",
                    words, MAX_WORDS);
    return fail(STATUS_ERROR,
                "the program's arguments%s are too long: %zu bytes, of %d at most; "
                "put them into a file (--file)",
                parts->options->disks.count > 0 ? ", with the places of disks," : "", length,
                MAX_COMMAND_LINE - 1);
}

/* ---- QEMU's ---- */

struct argument_list {
    char *items[MAX_ARGUMENTS];
    size_t count;
    bool failed;
};

static void add(struct argument_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct argument_list *list, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    char *item = NULL;
    if (list->count + 1 >= MAX_ARGUMENTS || vasprintf(&item, format, values) < 0)
        list->failed = true;
    else
        list->items[list->count++] = item;
    va_end(values);
}

static void add_words(struct argument_list *list, const char *const *words)
{
    for (; *words != NULL; words++)
        add(list, "%s", *words);
}

static void free_arguments(struct argument_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
}

static void add_socket(struct argument_list *list, const char *name, int end)
{
    add(list, "-chardev");
    add(list, "socket,id=%s,fd=%d", name, end);
}

static void add_devices(struct argument_list *list, const int ends[3])
{
    static const char *const machine[] = {QEMU,
                                          "-nodefaults",
                                          "-display",
                                          "none",
                                          "-no-reboot",
                                          "-accel",
                                          "tcg",
                                          "-cpu",
                                          "max,-erms",
                                          "-device",
                                          "isa-debug-exit,iobase=0xf4,iosize=4",
                                          NULL};
    static const char *const ports[] = {"-serial", "chardev:console",
                                        "-serial", "chardev:errors",
                                        "-device", "isa-debugcon,iobase=0xe9,chardev=words",
                                        NULL};
    add_words(list, machine);
    add_socket(list, "console", ends[0]);
    add_socket(list, "errors", ends[1]);
    add_socket(list, "words", ends[2]);
    add_words(list, ports);
}

/* By descriptor, so that no name means anything to QEMU. What the host can't do is the program's EIO,
 * not QEMU's to wait for. An empty file is no disk to QEMU: the kernel needs none for it. */
static void add_disks(struct argument_list *list, const struct disks *disks)
{
    for (size_t i = 0; i < disks->count; i++) {
        const struct disk *disk = &disks->items[i];
        if (disk->size == 0)
            continue;
        add(list, "-drive");
        add(list, "file=/proc/self/fd/%d,if=none,format=raw,id=%s,read-only=%s", disk->fd,
            disk->name, disk->read_only ? "on" : "off");
        add(list, "-device");
        add(list, "virtio-blk-pci,drive=%s,serial=%s,werror=report,rerror=report", disk->name,
            disk->name);
    }
}

static void add_settings(struct argument_list *list, const struct machine_parts *parts,
                         const char *command_line)
{
    const struct boot_options *options = parts->options;
    static const char *const icount[] = {
        "-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "1",
        NULL};
    add(list, "-m");
    add(list, "size=%lluK", (unsigned long long)options->memory >> 10);
    add(list, "-smp");
    add(list, "%u", options->cpus);
    if (options->icount)
        add_words(list, icount);
    add(list, "-kernel");
    add(list, "%s", parts->kernel);
    add(list, "-initrd");
    add(list, "/proc/self/fd/%d", parts->initrd);
    add(list, "-append");
    add(list, "%s", command_line);
}

/* In the child: becomes QEMU, or tells `report` why not. */
static _Noreturn void become_qemu(struct argument_list *list, int report, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(STATUS_ERROR);
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execvp(QEMU, list->items);
    int reason = errno;
    if (write(report, &reason, sizeof(reason)) < 0)
        _exit(STATUS_ERROR);
    _exit(STATUS_ERROR);
}

static int start_qemu(struct machine *machine, struct argument_list *list)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return fail(STATUS_ERROR, "can't start QEMU: %s", strerror(errno));
    pid_t parent = getpid();
    list->items[list->count] = NULL;
    machine->process = fork();
    if (machine->process == 0)
        become_qemu(list, report[1], parent);
    int reason = machine->process < 0 ? errno : 0;
    close(report[1]);
    /* The pipe closes without a word once exec has worked. */
    if (machine->process > 0 && read(report[0], &reason, sizeof(reason)) < 0)
        reason = errno;
    close(report[0]);
    if (reason == 0)
        return 0;
    machine_end(machine);
    if (reason == ENOENT)
        return fail(STATUS_ERROR, QEMU " is missing: install the Debian package qemu-system-x86");
    return fail(STATUS_ERROR, "can't start " QEMU ": %s", strerror(reason));
}

static int open_sockets(struct machine *machine, int ends[3])
{
    int *ours[3] = {&machine->console, &machine->errors, &machine->words};
    for (int i = 0; i < 3; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
            return fail(STATUS_ERROR, "can't make a socket: %s", strerror(errno));
        fcntl(pair[0], F_SETFD, FD_CLOEXEC);
        *ours[i] = pair[0];
        ends[i] = pair[1];
    }
    fcntl(machine->console, F_SETFL, O_NONBLOCK);
    return 0;
}

int machine_start(struct machine *machine, const struct machine_parts *parts)
{
    *machine = (struct machine){.process = -1, .console = -1, .errors = -1, .words = -1};
    int ends[3] = {-1, -1, -1};
    char *command_line = NULL;
    struct argument_list list = {0};
    int status = make_command_line(parts, &command_line);
    if (status == 0)
        status = open_sockets(machine, ends);
    if (status == 0) {
        add_devices(&list, ends);
        add_disks(&list, parts->disks);
        add_settings(&list, parts, command_line);
        status = list.failed ? fail_no_memory() : start_qemu(machine, &list);
    }
    free_arguments(&list);
    free(command_line);
    for (int i = 0; i < 3; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    if (status != 0)
        machine_end(machine);
    return status;
}

static void close_end(int *end)
{
    if (*end >= 0)
        close(*end);
    *end = -1;
}

void machine_end(struct machine *machine)
{
    close_end(&machine->console);
    close_end(&machine->errors);
    close_end(&machine->words);
    if (machine->process > 0) {
        kill(machine->process, SIGKILL);
        waitpid(machine->process, NULL, 0);
    }
    machine->process = -1;
}
