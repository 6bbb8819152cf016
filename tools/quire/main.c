/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "console.h"
#include "disk.h"
#include "doctor.h"
#include "error.h"
#include "help.h"
#include "machine.h"
#include "options.h"
#include "program.h"
#include "record.h"
#include "report.h"
#include "sim.h"
#include "sim_words.h"
#include "tree.h"

/* What belongs to this program, to be freed: beside it, or where it is installed. */
static char *own_file(const char *name)
{
    char here[4096];
    ssize_t length = readlink("/proc/self/exe", here, sizeof(here) - 1);
    if (length <= 0)
        return NULL;
    here[length] = '\0';
    *strrchr(here, '/') = '\0';
    char *built = NULL, *installed = NULL;
    if (asprintf(&built, "%s/%s", here, name) < 0)
        return NULL;
    if (access(built, F_OK) == 0 || asprintf(&installed, "%s/../libexec/quire/%s", here, name) < 0)
        return built;
    if (access(installed, F_OK) != 0) {
        free(installed);
        return built;
    }
    free(built);
    return installed;
}

/* What QEMU would refuse in words that help nobody: all of it must fit, with some room to start. */
static int check_memory(const struct boot_options *options, const char *kernel,
                        const struct archive *archive)
{
    uint64_t size;
    int status = program_size(kernel, &size);
    if (status != 0)
        return status;
    uint64_t needed = archive->size + size + ((uint64_t)2 << 20);
    if (needed <= options->memory)
        return 0;
    return fail(STATUS_ERROR,
                "%lluK of memory is too little to boot: the kernel and the initial file system "
                "need at least %lluM; give more with --memory",
                (unsigned long long)options->memory >> 10,
                (unsigned long long)(needed + (1 << 20) - 1) >> 20);
}

static int status_of(const struct record_reader *reader)
{
    if (reader->panicked)
        return STATUS_PANIC;
    if (!reader->heard)
        return fail(STATUS_ERROR, "QEMU ended before the kernel had begun");
    if (!reader->exited)
        return fail(STATUS_PANIC, "the machine ended before the program did");
    if (reader->unwritten)
        return fail(STATUS_UNWRITTEN, "some of what was written to a --disk file is lost: "
                                      "the host could not take it");
    if (reader->leaked)
        return STATUS_LEAK;
    return reader->unknown ? fail(STATUS_ERROR, "--debug: the kernel has no such command; "
                                                "--debug help lists them")
                           : reader->status;
}

/* 0, or a status after a message. */
static int show_figures(const struct boot_options *options, const struct disks *disks,
                        const struct record_reader *reader)
{
    if (options->stats && reader->figures[0] != '\0')
        report_show(reader->figures, disks);
    return options->json != NULL ? report_write_json(reader->figures, options->json) : 0;
}

static int time_is_over(const struct boot_options *options, const struct disks *disks,
                        const struct record_reader *reader)
{
    bool wanted = options->stats || options->json != NULL;
    int status = fail(STATUS_TIMEOUT, "ended after %u second%s", options->timeout,
                      options->timeout == 1 ? "" : "s");
    if (wanted && !reader->has_figures)
        return fail(status, "the machine didn't say its figures when it was asked");
    if (wanted && show_figures(options, disks, reader) != 0)
        return STATUS_ERROR;
    return status;
}

/* Runs the machine to its end and says how it was. */
static int run(const struct boot_options *options, const struct disks *disks,
               struct machine *machine)
{
    static struct record_reader reader;
    int signal = 0;
    bool wanted = options->stats || options->json != NULL;
    switch (console_run(machine, &reader, options->timeout, wanted, &signal)) {
    case CONSOLE_TIMEOUT:
        return time_is_over(options, disks, &reader);
    case CONSOLE_SIGNAL:
        return 128 + signal;
    case CONSOLE_OUTPUT_GONE:
        return 128 + 13; /* as SIGPIPE would have it */
    case CONSOLE_FAILED:
        return STATUS_ERROR;
    case CONSOLE_MACHINE_ENDED:
        break;
    }
    int status = status_of(&reader);
    return show_figures(options, disks, &reader) != 0 ? STATUS_ERROR : status;
}

/* Makes everything that the machine needs, and runs it. */
static int run_machine(const struct boot_options *options, const struct disks *disks,
                       const char *program, const char *kernel)
{
    struct archive archive;
    char *guest = NULL;
    struct machine machine;
    int status = archive_open(&archive);
    if (status == 0)
        status = tree_build(&archive, options, disks, program, &guest);
    if (status == 0)
        status = check_memory(options, kernel, &archive);
    console_block_signals();
    if (status == 0) {
        struct machine_parts parts = {options, disks, kernel, archive.fd, guest};
        status = machine_start(&machine, &parts);
    }
    archive_close(&archive);
    free(guest);
    if (status != 0)
        return status;
    status = run(options, disks, &machine);
    machine_end(&machine);
    return status;
}

static int boot_program(const struct boot_options *options, const char *program, const char *kernel)
{
    struct disks disks;
    int status = disks_open(&disks, options);
    if (status == 0)
        status = run_machine(options, &disks, program, kernel);
    int closed = disks_close(&disks);
    return closed != 0 ? closed : status;
}

static int command_boot(int argc, char **argv)
{
    struct boot_options options;
    int status = options_parse(&options, argc, argv);
    if (status == 0 && options.help) {
        fputs(help_boot, stdout);
    } else if (status == 0) {
        char *program = NULL;
        char *kernel =
            options.kernel != NULL ? strdup(options.kernel) : own_file("quire-kernel.elf");
        status = kernel == NULL ? fail_no_memory() : 0;
        if (status == 0)
            status = program_find(options.program != NULL ? options.program : "busybox", &program);
        if (status == 0)
            status = program_check(program);
        if (status == 0)
            status = boot_program(&options, program, kernel);
        free(program);
        free(kernel);
    }
    options_free(&options);
    return status;
}

/* A program of its own, since it has the core in a Linux process. */
static int command_apart(const char *name, char **argv)
{
    char *program = own_file(name);
    if (program == NULL)
        return fail_no_memory();
    execv(program, argv);
    int status = fail(STATUS_ERROR, "%s: %s; ./dev build makes it", program, strerror(errno));
    free(program);
    return status;
}

/* The text of `quire help WORD`; NULL: there is none. */
static const char *help_of(const char *word)
{
    static const struct {
        const char *word, *text;
    } texts[] = {
        {"boot", help_boot}, {"sim", help_sim}, {"doctor", help_doctor}, {"demo", help_demo}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(word, texts[i].word) == 0)
            return texts[i].text;
    return NULL;
}

/* Nothing that is opened later may become a standard stream that was closed. */
static int open_standard_streams(void)
{
    int null;
    do
        null = open("/dev/null", O_RDWR);
    while (null >= 0 && null <= STDERR_FILENO);
    if (null < 0)
        return fail(STATUS_ERROR, "/dev/null: %s", strerror(errno));
    close(null);
    return 0;
}

static int obey(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "boot") == 0)
        return command_boot(argc - 1, argv + 1);
    if (strcmp(command, "sim") == 0 && sim_is_of_a_process(argc - 1, argv + 1))
        return command_apart("quire-process", argv);
    if (strcmp(command, "sim") == 0)
        return command_sim(argc - 1, argv + 1);
    if (strcmp(command, "doctor") == 0)
        return command_doctor(argc - 1, argv + 1);
    if (strcmp(command, "demo") == 0)
        return command_apart("quire-demo", argv + 1);
    if (strcmp(command, "--version") == 0) {
        puts("quire " QUIRE_VERSION);
        return 0;
    }
    if (strcmp(command, "help") == 0 && argc > 2 && help_of(argv[2]) != NULL) {
        fputs(help_of(argv[2]), stdout);
        return 0;
    }
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 ||
        (strcmp(command, "help") == 0 && (argc == 2 || strcmp(argv[2], "help") == 0))) {
        fputs(help_quire, stdout);
        return 0;
    }
    if (argc < 2)
        fputs(help_quire, stderr);
    else
        fail(STATUS_ERROR, "%s: no such command; see quire help",
             strcmp(command, "help") == 0 ? argv[2] : command);
    return STATUS_ERROR;
}

int main(int argc, char **argv)
{
    if (open_standard_streams() != 0)
        return STATUS_ERROR;
    return end_output(obey(argc, argv));
}
