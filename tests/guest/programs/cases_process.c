/* SPDX-License-Identifier: MIT */
/* Ending, waiting, pipes between processes. */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t start(int code)
{
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0)
        _exit(code);
    return child;
}

static void exit_codes(void)
{
    static const int codes[] = {0, 1, 42, 255, 256, -1};
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        int status = 0;
        must(waitpid(start(codes[i]), &status, 0) > 0, "waitpid");
        say_wait_status("child", status);
    }
}

static void nothing_to_wait_for(void)
{
    int status;
    CALL("wait", wait(&status));
    CALL("waitpid of another", waitpid(1, &status, 0));
    CALL("without waiting", waitpid(-1, &status, WNOHANG));
    CALL("unknown option", waitpid(-1, &status, 0x10));
}

static void without_waiting(void)
{
    int ends[2], status = 0;
    char byte;
    must(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        must(read(ends[0], &byte, 1) == 0, "read");
        _exit(5);
    }
    close(ends[0]);
    CALL("it runs", waitpid(child, &status, WNOHANG));
    close(ends[1]);
    say_whether("it ended", waitpid(child, &status, 0) == child);
    say_wait_status("child", status);
    CALL("once only", waitpid(child, &status, 0));
}

static void spin(void *argument)
{
    (void)argument;
    for (;;)
        pause();
}

static void killed(void)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGUSR1, SIGPIPE, SIGABRT};
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        pid_t child = fork();
        if (child == 0)
            spin(NULL);
        int status = 0;
        CALL("kill", kill(child, signals[i]));
        must(waitpid(child, &status, 0) == child, "waitpid");
        say_wait_status("child", status);
    }
    CALL("kill nobody", kill(999999, SIGTERM));
    CALL("kill with a signal that isn't", kill(getpid(), 1000));
    CALL("only ask", kill(getpid(), 0));
}

static void busy_loop_is_killed(void)
{
    pid_t child = fork();
    if (child == 0)
        for (volatile unsigned long i = 0;; i++)
            ;
    struct timespec moment = {0, 20000000};
    nanosleep(&moment, NULL);
    int status = 0;
    CALL("kill", kill(child, SIGKILL));
    must(waitpid(child, &status, 0) == child, "waitpid");
    say_wait_status("child", status);
}

static void orphans(void)
{
    int ends[2];
    must(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            struct timespec moment = {0, 30000000};
            nanosleep(&moment, NULL);
            must(write(ends[1], "o", 1) == 1, "write");
            _exit(9);
        }
        _exit(1);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child, "waitpid");
    say_wait_status("child", status);
    char byte = 0;
    close(ends[1]);
    CALL("a word from the grandchild", read(ends[0], &byte, 1));
    CALL("then its end", read(ends[0], &byte, 1));
}

static void pipes(void)
{
    int ends[2];
    char buffer[16] = {0};
    must(pipe(ends) == 0, "pipe");
    CALL("write", write(ends[1], "hello", 5));
    CALL("read a part", read(ends[0], buffer, 2));
    CALL("read the rest", read(ends[0], buffer, 16));
    say("it is %s", buffer);
    CALL("read the writing end", read(ends[1], buffer, 1));
    CALL("write the reading end", write(ends[0], "x", 1));
    CALL("seek", lseek(ends[0], 0, SEEK_SET));
    close(ends[1]);
    CALL("no writer", read(ends[0], buffer, 1));
    CALL("not blocking", fcntl(ends[0], F_SETFL, O_NONBLOCK));
    must(pipe(ends) == 0, "pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    CALL("nothing there", read(ends[0], buffer, 1));
    signal(SIGPIPE, SIG_IGN);
    close(ends[0]);
    CALL("no reader", write(ends[1], "x", 1));
}

/* More than any pipe holds goes through one, and every byte arrives. */
static void much_through_a_pipe(void)
{
    enum { CHUNKS = 300, CHUNK = 1777 };
    static uint8_t buffer[CHUNK];
    int ends[2];
    must(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        for (int i = 0; i < CHUNKS; i++) {
            memset(buffer, i, CHUNK);
            must(write(ends[1], buffer, CHUNK) == CHUNK, "write");
        }
        _exit(0);
    }
    close(ends[1]);
    unsigned long sum = 0, bytes = 0;
    for (ssize_t got; (got = read(ends[0], buffer, sizeof(buffer))) > 0;)
        for (ssize_t i = 0; i < got; i++, bytes++)
            sum += buffer[i];
    say("%lu bytes, sum %lu", bytes, sum);
    int status = 0;
    waitpid(child, &status, 0);
    say_wait_status("child", status);
}

static void file_positions_are_shared(void)
{
    int file = make_file("tmp/position", 10);
    CALL("seek", lseek(file, 3, SEEK_SET));
    pid_t child = fork();
    if (child == 0) {
        lseek(file, 2, SEEK_CUR);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    CALL("where it is now", lseek(file, 0, SEEK_CUR));
    int twin = dup(file);
    lseek(twin, 0, SEEK_END);
    CALL("and by a duplicate", lseek(file, 0, SEEK_CUR));
}

const struct guest_case process_cases[] = {
    {"process.exit_codes", exit_codes},
    {"process.nothing_to_wait_for", nothing_to_wait_for},
    {"process.without_waiting", without_waiting},
    {"process.killed", killed},
    {"process.busy_loop_is_killed", busy_loop_is_killed},
    {"process.orphans", orphans},
    {"process.pipes", pipes},
    {"process.much_through_a_pipe", much_through_a_pipe},
    {"process.file_positions_are_shared", file_positions_are_shared},
    {NULL, NULL},
};
