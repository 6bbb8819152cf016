/* SPDX-License-Identifier: MIT */
/* Each pointer of each call, bad in each way. The calls are made directly: a library would touch
 * some of the pointers itself. */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* In place of an argument: the bad pointer goes here. */
#define BAD 0x5bad5bad5badL

enum direction {
    TO_KERNEL = 1,   /* the call reads what is there */
    FROM_KERNEL = 2, /* the call writes there */
};

struct pointer_call {
    const char *name;
    int direction;
    long number;
    long arguments[6];
};

static uint8_t *good; /* two good pages, for the other arguments */
static int file, pipe_ends[2];

#define GOOD 0x600d600d600dL
#define FILE_NUMBER 0x600df11e600dL
#define PIPE_READ 0x600d9175600dL

static const struct pointer_call calls[] = {
    {"read", FROM_KERNEL, SYS_read, {FILE_NUMBER, BAD, 8}},
    {"read of a pipe", FROM_KERNEL, SYS_read, {PIPE_READ, BAD, 4}},
    {"write", TO_KERNEL, SYS_write, {FILE_NUMBER, BAD, 8}},
    {"pread64", FROM_KERNEL, SYS_pread64, {FILE_NUMBER, BAD, 8, 0}},
    {"pwrite64", TO_KERNEL, SYS_pwrite64, {FILE_NUMBER, BAD, 8, 0}},
    {"readv, vector", TO_KERNEL, SYS_readv, {FILE_NUMBER, BAD, 1}},
    {"writev, vector", TO_KERNEL, SYS_writev, {FILE_NUMBER, BAD, 1}},
    {"open", TO_KERNEL, SYS_open, {BAD, O_RDONLY, 0}},
    {"openat", TO_KERNEL, SYS_openat, {AT_FDCWD, BAD, O_RDONLY, 0}},
    {"stat, path", TO_KERNEL, SYS_stat, {BAD, GOOD}},
    {"stat, result", FROM_KERNEL, SYS_stat, {GOOD, BAD}},
    {"lstat, path", TO_KERNEL, SYS_lstat, {BAD, GOOD}},
    {"fstat", FROM_KERNEL, SYS_fstat, {FILE_NUMBER, BAD}},
    {"newfstatat, result", FROM_KERNEL, SYS_newfstatat, {AT_FDCWD, GOOD, BAD, 0}},
    {"access", TO_KERNEL, SYS_access, {BAD, 0}},
    {"chdir", TO_KERNEL, SYS_chdir, {BAD}},
    {"getcwd", FROM_KERNEL, SYS_getcwd, {BAD, 100}},
    {"mkdir", TO_KERNEL, SYS_mkdir, {BAD, 0755}},
    {"rmdir", TO_KERNEL, SYS_rmdir, {BAD}},
    {"unlink", TO_KERNEL, SYS_unlink, {BAD}},
    {"rename, old", TO_KERNEL, SYS_rename, {BAD, GOOD}},
    {"rename, new", TO_KERNEL, SYS_rename, {GOOD, BAD}},
    {"symlink, target", TO_KERNEL, SYS_symlink, {BAD, GOOD}},
    {"symlink, link", TO_KERNEL, SYS_symlink, {GOOD, BAD}},
    {"readlink, path", TO_KERNEL, SYS_readlink, {BAD, GOOD, 100}},
    {"truncate", TO_KERNEL, SYS_truncate, {BAD, 0}},
    {"chmod", TO_KERNEL, SYS_chmod, {BAD, 0755}},
    {"getdents64", FROM_KERNEL, SYS_getdents64, {GOOD, BAD, 512}},
    {"pipe", FROM_KERNEL, SYS_pipe, {BAD}},
    {"pipe2", FROM_KERNEL, SYS_pipe2, {BAD, O_CLOEXEC}},
    {"uname", FROM_KERNEL, SYS_uname, {BAD}},
    {"getrlimit", FROM_KERNEL, SYS_getrlimit, {3, BAD}},
    {"prlimit64, result", FROM_KERNEL, SYS_prlimit64, {0, 3, 0, BAD}},
    {"prlimit64, new", TO_KERNEL, SYS_prlimit64, {0, 3, BAD, 0}},
    {"gettimeofday", FROM_KERNEL, SYS_gettimeofday, {BAD, 0}},
    {"clock_gettime", FROM_KERNEL, SYS_clock_gettime, {CLOCK_MONOTONIC, BAD}},
    {"nanosleep", TO_KERNEL, SYS_nanosleep, {BAD, 0}},
    {"rt_sigaction, new", TO_KERNEL, SYS_rt_sigaction, {SIGUSR1, BAD, 0, 8}},
    {"rt_sigaction, old", FROM_KERNEL, SYS_rt_sigaction, {SIGUSR1, 0, BAD, 8}},
    {"rt_sigprocmask, new", TO_KERNEL, SYS_rt_sigprocmask, {SIG_BLOCK, BAD, 0, 8}},
    {"rt_sigprocmask, old", FROM_KERNEL, SYS_rt_sigprocmask, {SIG_BLOCK, 0, BAD, 8}},
    {"rt_sigpending", FROM_KERNEL, SYS_rt_sigpending, {BAD, 8}},
    {"sigaltstack, new", TO_KERNEL, SYS_sigaltstack, {BAD, 0}},
    {"sigaltstack, old", FROM_KERNEL, SYS_sigaltstack, {0, BAD}},
    {"wait4, status", FROM_KERNEL, SYS_wait4, {-1, BAD, 0, 0}},
    {"execve, path", TO_KERNEL, SYS_execve, {BAD, GOOD, 0}},
    {"getrusage", FROM_KERNEL, SYS_getrusage, {0, BAD}},
    {"times", FROM_KERNEL, SYS_times, {BAD}},
    {"sysinfo", FROM_KERNEL, SYS_sysinfo, {BAD}},
    {"getrandom", FROM_KERNEL, SYS_getrandom, {BAD, 8, 0}},
    {"mincore", FROM_KERNEL, SYS_mincore, {GOOD, 2 * PAGE, BAD}},
    {"poll", TO_KERNEL, SYS_poll, {BAD, 1, 0}},
    {"setitimer, new", TO_KERNEL, SYS_setitimer, {0, BAD, 0}},
    {"getitimer", FROM_KERNEL, SYS_getitimer, {0, BAD}},
};

/* What the two good pages hold for this call: a path, or a list of one pointer to nothing. */
static void prepare_good(const struct pointer_call *call)
{
    memset(good, 0, 2 * PAGE);
    strcpy((char *)good, "tmp/pointer");
    if (call->number == SYS_execve)
        memset(good, 0, PAGE);
}

static long argument_value(const struct pointer_call *call, long argument, void *bad)
{
    if (argument == BAD)
        return (long)bad;
    if (argument == GOOD && call->number == SYS_getdents64)
        return open("tmp", O_RDONLY | O_DIRECTORY);
    if (argument == GOOD)
        return (long)good;
    if (argument == FILE_NUMBER)
        return file;
    return argument == PIPE_READ ? pipe_ends[0] : argument;
}

static long make_call(const struct pointer_call *call, void *bad)
{
    long values[6];
    prepare_good(call);
    for (int i = 0; i < 6; i++)
        values[i] = argument_value(call, call->arguments[i], bad);
    if (call->number == SYS_wait4 && fork() == 0)
        _exit(3);
    if (call->number == SYS_read && values[0] == pipe_ends[0])
        must(write(pipe_ends[1], "abcd", 4) == 4, "write");
    lseek(file, 0, SEEK_SET);
    return syscall(call->number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

/* The end of a mapping, with `inside` bytes before it; the page behind it is to be unmapped, once
 * nothing will be mapped any more. */
static uint8_t *before_an_end(size_t inside, int byte)
{
    uint8_t *memory = map_pages(2);
    memset(memory, byte, PAGE);
    return memory + PAGE - inside;
}

static uint8_t *end_of_mapping(size_t inside, int byte)
{
    uint8_t *memory = before_an_end(inside, byte);
    must(munmap(memory + inside, PAGE) == 0, "munmap");
    return memory;
}

static void try_call(const struct pointer_call *call)
{
    struct {
        const char *name;
        void *address;
    } bad[9] = {
        {"8", (void *)8},
        {"nothing there", before_an_end(0, 0)},
        {"no access", mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)},
        {"kernel", KERNEL_ADDRESS},
        {"kernel image", (void *)0xffffffff80100000},
        {"not canonical", NON_CANONICAL},
        {"-1", (void *)-1},
        {"over an end", before_an_end(1, 'x')},
        {"read-only", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)},
    };
    must(munmap(bad[1].address, PAGE) == 0, "munmap");
    must(munmap((uint8_t *)bad[7].address + 1, PAGE) == 0, "munmap");
    size_t count = call->direction & FROM_KERNEL ? 9 : 8;
    for (size_t i = 0; i < count; i++) {
        long result = make_call(call, bad[i].address);
        /* A read or write may do the part that is there. */
        say("%s, %s: %s", call->name, bad[i].name, result != -1 ? "worked" : error_name(errno));
    }
}

static void prepare(void)
{
    good = map_pages(2);
    file = make_file("tmp/pointer", PAGE);
    must(pipe(pipe_ends) == 0, "pipe");
}

static void of_each_call(void)
{
    prepare();
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        try_call(&calls[i]);
}

static void in_vectors(void)
{
    prepare();
    uint8_t *memory = map_pages(1);
    struct iovec vector[2] = {{memory, 4}, {KERNEL_ADDRESS, 4}};
    CALL("readv, the second is bad", readv(file, vector, 2));
    CALL("writev, the second is bad", writev(file, vector, 2));
    vector[0].iov_base = KERNEL_ADDRESS;
    CALL("readv, the first is bad", readv(file, vector, 2));
    CALL("writev, the first is bad", writev(file, vector, 2));
    vector[0] = (struct iovec){memory, (size_t)-1};
    CALL("readv, a length of -1", readv(file, vector, 1));
    CALL("readv, no vector", readv(file, vector, 0));
    CALL("readv, a count of -1", readv(file, vector, -1));
}

static void in_argument_lists(void)
{
    char *name = (char *)(uintptr_t)own_path;
    char *arguments[3] = {name, (char *)KERNEL_ADDRESS, NULL};
    CALL("an argument", syscall(SYS_execve, own_path, arguments, NULL));
    arguments[1] = (char *)8;
    CALL("another", syscall(SYS_execve, own_path, arguments, NULL));
    CALL("the list", syscall(SYS_execve, own_path, KERNEL_ADDRESS, NULL));
    CALL("the list ends in nothing", syscall(SYS_execve, own_path, end_of_mapping(0, 0), NULL));
    arguments[1] = NULL;
    CALL("the environment", syscall(SYS_execve, own_path, arguments, KERNEL_ADDRESS));
    char *environment[2] = {(char *)NON_CANONICAL, NULL};
    CALL("a variable", syscall(SYS_execve, own_path, arguments, environment));
}

/* Up to a bad page, what is there is transferred. */
static void up_to_a_bad_page(void)
{
    prepare();
    CALL("write 100 of 200 bytes", pwrite(file, end_of_mapping(100, 'w'), 200, 0));
    CALL("read 100 of 200 bytes", pread(file, end_of_mapping(100, 0), 200, 0));
    CALL("write over two files' ends", pwrite(file, end_of_mapping(PAGE, 'w'), 2 * PAGE, 0));
}

static void sizes(void)
{
    prepare();
    uint8_t *memory = map_pages(1);
    CALL("read 0 bytes, badly", read(file, KERNEL_ADDRESS, 0));
    CALL("read -1 bytes", read(file, memory, (size_t)-1));
    CALL("write -1 bytes", write(file, memory, (size_t)-1));
    CALL("pread before the start", pread(file, memory, 8, -1));
    CALL("pwrite before the start", pwrite(file, memory, 8, -8));
    CALL("seek before the start", lseek(file, -1, SEEK_SET));
    CALL("seek by an unknown way", lseek(file, 0, 77));
    CALL("getcwd, 1 byte", syscall(SYS_getcwd, memory, 1));
    CALL("sigaction, 4-byte set", syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    struct timespec strange = {0, 2000000000};
    CALL("nanosleep, 2000000000 ns", syscall(SYS_nanosleep, &strange, NULL));
    strange = (struct timespec){-1, 0};
    CALL("nanosleep, -1 s", syscall(SYS_nanosleep, &strange, NULL));
}

static void paths(void)
{
    static char name[300], path[5000];
    memset(name, 'n', sizeof(name) - 1);
    memset(path, '/', sizeof(path) - 1);
    CALL("an empty path", open("", O_RDONLY));
    CALL("a name of 299 bytes", open(name, O_RDONLY));
    CALL("a path of 4999 bytes", open(path, O_RDONLY));
    close(make_file("tmp/pointer", 1));
    CALL("below a file", open("tmp/pointer/x", O_RDONLY));
    CALL("a directory, to write", open("tmp", O_RDWR));
    CALL("a file as a directory", open("tmp/pointer", O_RDONLY | O_DIRECTORY));
    CALL("made exclusively", open("tmp/pointer", O_RDWR | O_CREAT | O_EXCL, 0644));
    CALL("make a directory that is", mkdir("tmp", 0755));
    CALL("remove a file as a directory", rmdir("tmp/pointer"));
    CALL("a file number that isn't", fcntl(12345, F_GETFD));
    CALL("a negative one", close(-1));
}

const struct guest_case pointer_cases[] = {
    {"pointer.of_each_call", of_each_call},
    {"pointer.in_vectors", in_vectors},
    {"pointer.in_argument_lists", in_argument_lists},
    {"pointer.up_to_a_bad_page", up_to_a_bad_page},
    {"pointer.sizes", sizes},
    {"pointer.paths", paths},
    {NULL, NULL},
};
