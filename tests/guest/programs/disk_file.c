/* SPDX-License-Identifier: MIT */
/* What a program can do with a file that is a disk: disk_file CASE PATH. The first cases run alike on
 * Linux, with an ordinary file; the others are about what only such a file does. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define RW (PROT_READ | PROT_WRITE)

static const char *path;

static void say(const char *step, long result)
{
    if (result == -1)
        printf("%s: %s\n", step, strerror(errno));
    else
        printf("%s: %ld\n", step, result);
}

static int open_file(int flags)
{
    int file = open(path, flags);
    if (file < 0)
        say("open", -1);
    return file;
}

static off_t size_of(int file)
{
    struct stat status;
    return fstat(file, &status) == 0 ? status.st_size : -1;
}

static unsigned char *map(int file, int protection, int flags)
{
    void *memory =
        mmap(NULL, ((size_t)size_of(file) + PAGE - 1) & ~(PAGE - 1), protection, flags, file, 0);
    if (memory == MAP_FAILED)
        say("mmap", -1);
    return memory;
}

static sigjmp_buf recovery;

static void catch (int number)
{
    siglongjmp(recovery, number);
}

static void touch(const char *step, const volatile unsigned char *byte)
{
    signal(SIGBUS, catch);
    signal(SIGSEGV, catch);
    int caught = sigsetjmp(recovery, 1);
    if (caught == 0)
        say(step, *byte);
    else
        printf("%s: %s\n", step, caught == SIGBUS ? "SIGBUS" : "SIGSEGV");
}

/* ---- as everywhere ---- */

static void tail(void)
{
    int file = open_file(O_RDONLY);
    off_t size = size_of(file);
    unsigned char byte;
    say("length", (long)size);
    say("the last byte", pread(file, &byte, 1, size - 1) == 1 ? byte : -1);
    say("behind it", pread(file, &byte, 1, size));
    unsigned char *memory = mmap(NULL, (size_t)size + 2 * PAGE, PROT_READ, MAP_SHARED, file, 0);
    touch("the last byte, mapped", memory + size - 1);
    touch("behind it in its page", memory + size);
    touch("in the next page", memory + size + PAGE);
}

/* No msync, no munmap: the end of the program is enough. */
static void shared(void)
{
    int file = open_file(O_RDWR);
    unsigned char *memory = map(file, RW, MAP_SHARED);
    off_t size = size_of(file);
    for (off_t at = 0; at < size; at += 5000)
        memory[at] = (unsigned char)(at / 5000 + 1);
    memory[size - 1] = 'E';
    memory[size] = 'X'; /* not in the file */
    unsigned char byte = 0;
    say("read", pread(file, &byte, 1, 5000));
    say("what was written through the mapping", byte);
}

static void private(void)
{
    int file = open_file(O_RDWR);
    unsigned char *memory = map(file, RW, MAP_PRIVATE);
    unsigned char byte = 0, before = 0;
    say("read", pread(file, &before, 1, 100));
    memset(memory, before ^ 0xff, (size_t)size_of(file));
    say("sync", fsync(file));
    say("read", pread(file, &byte, 1, 100));
    say("as it was", byte == before);
}

static void written(void)
{
    int file = open_file(O_RDWR);
    const unsigned char *memory = map(file, PROT_READ, MAP_SHARED);
    touch("before", memory + PAGE);
    say("write over a page's edge", pwrite(file, "ABCDEFGH", 8, PAGE - 4));
    touch("after", memory + PAGE);
    say("fsync", fsync(file));
    say("fdatasync", fdatasync(file));
    int direct = open_file(O_WRONLY | O_SYNC);
    say("write, O_SYNC", pwrite(direct, "IJ", 2, 10000));
    touch("seen", memory + 10001);
    say("unlink", unlink(path));
    say("write without a name", pwrite(file, "KL", 2, 12000));
}

/* ---- of a fixed length ---- */

static void fixed(void)
{
    int file = open_file(O_RDWR);
    off_t size = size_of(file);
    say("write over the end", pwrite(file, "abcdefgh", 8, size - 3));
    say("write at the end", pwrite(file, "a", 1, size));
    say("write far behind it", pwrite(file, "a", 1, size + 1000000));
    say("append", write(open_file(O_WRONLY | O_APPEND), "a", 1));
    say("ftruncate to its length", ftruncate(file, size));
    say("ftruncate to less", ftruncate(file, size - 1));
    say("truncate to more", truncate(path, size + 1));
    say("fallocate inside", fallocate(file, 0, 0, size));
    say("fallocate behind", fallocate(file, 0, size, 1));
    say("O_TRUNC", open(path, O_RDWR | O_TRUNC));
    say("length", (long)(size_of(file) - size));
}

static void read_only(void)
{
    unsigned char byte;
    say("O_RDWR", open(path, O_RDWR));
    say("O_WRONLY", open(path, O_WRONLY));
    say("O_TRUNC", open(path, O_RDONLY | O_TRUNC));
    say("truncate", truncate(path, 0));
    say("access to write", access(path, W_OK));
    int file = open_file(O_RDONLY);
    say("read", pread(file, &byte, 1, 0));
    say("mmap to write", mmap(NULL, PAGE, RW, MAP_SHARED, file, 0) == MAP_FAILED ? -1 : 0);
    void *memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    touch("mapped", memory);
    say("mprotect to write", mprotect(memory, PAGE, RW));
    say("fsync", fsync(file));
}

/* ---- that the host can't read, or write ---- */

static void bad_read(void)
{
    static char buffer[300000];
    int file = open_file(O_RDONLY);
    say("all of it", read(file, buffer, sizeof(buffer)));
    say("the rest", read(file, buffer, sizeof(buffer)));
    const unsigned char *memory = map(file, PROT_READ, MAP_SHARED);
    touch("mapped, good", memory);
    touch("mapped, bad", memory + 20 * PAGE);
    touch("mapped, beside it", memory + 21 * PAGE);
    say("behind it", pread(file, buffer, 1, 50 * PAGE));
}

static void bad_write(void)
{
    int file = open_file(O_RDWR);
    unsigned char *memory = map(file, RW, MAP_SHARED);
    memory[0] = 'a';
    say("msync, good", msync(memory, PAGE, MS_SYNC));
    memory[20 * PAGE] = 'b';
    say("msync, bad", msync(memory + 20 * PAGE, PAGE, MS_SYNC));
    say("fsync", fsync(file));
    say("O_SYNC", pwrite(open_file(O_WRONLY | O_SYNC), "b", 1, 20 * PAGE));
    char byte;
    say("read", pread(file, &byte, 1, 20 * PAGE));
    memory[40 * PAGE] = 'c';
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"tail", tail},         {"shared", shared},      {"private", private},
                 {"written", written},   {"fixed", fixed},        {"read_only", read_only},
                 {"bad_read", bad_read}, {"bad_write", bad_write}};
    if (argc != 3)
        return 2;
    path = argv[2];
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (strcmp(cases[i].name, argv[1]) == 0) {
            cases[i].run();
            return 0;
        }
    return 2;
}
