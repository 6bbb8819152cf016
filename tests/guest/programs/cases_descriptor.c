/* SPDX-License-Identifier: MIT */
/* Descriptors, pipes, names: the files under the programs. */
#include "cases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pause_briefly(void)
{
    struct timespec time = {0, 30000000};
    nanosleep(&time, NULL);
}

static void duplicates(void)
{
    int file = make_file("tmp/duplicates", 100);
    CALL("to itself", dup2(file, file) == file);
    CALL("dup3 to itself", dup3(file, file, 0));
    CALL("of nothing", dup2(500, 501));
    CALL("to a bad number", dup2(file, -1));
    CALL("to one too large", dup2(file, 1 << 20));
    CALL("from 100 on", fcntl(file, F_DUPFD, 100));
    CALL("from 100 on, again", fcntl(file, F_DUPFD_CLOEXEC, 100));
    CALL("closed on exec", fcntl(101, F_GETFD));
    CALL("its original", fcntl(file, F_GETFD));
    CALL("set it", fcntl(file, F_SETFD, FD_CLOEXEC));
    CALL("now", fcntl(file, F_GETFD));
    CALL("from -1 on", fcntl(file, F_DUPFD, -1));
    CALL("an unknown command", fcntl(file, 999));
    CALL("close it", close(100));
    CALL("twice", close(100));
}

static void lowest_number(void)
{
    int first = open("tmp", O_RDONLY), second = open("tmp", O_RDONLY);
    close(first);
    say_whether("the lowest free one", open("tmp", O_RDONLY) == first);
    say_whether("then the next", open("tmp", O_RDONLY) == second + 1);
}

static void pipe_ends(void)
{
    int ends[2];
    char buffer[8];
    signal(SIGPIPE, SIG_IGN);
    CALL("make one", pipe(ends));
    CALL("unknown flags", pipe2(ends, 1));
    CALL("read the writer", read(ends[1], buffer, 1));
    CALL("write the reader", write(ends[0], "x", 1));
    CALL("seek", lseek(ends[0], 0, SEEK_SET));
    CALL("pread", pread(ends[0], buffer, 1, 0));
    CALL("write", write(ends[1], "abcdef", 6));
    CALL("read some", read(ends[0], buffer, 4));
    CALL("read the rest", read(ends[0], buffer, 8));
    close(ends[1]);
    CALL("no writer any more", read(ends[0], buffer, 8));
    pipe(ends);
    close(ends[0]);
    CALL("no reader any more", write(ends[1], "x", 1));
}

static void pipe_without_waiting(void)
{
    int ends[2];
    static char much[100000];
    pipe2(ends, O_NONBLOCK);
    CALL("read an empty one", read(ends[0], much, 1));
    CALL("fill it", write(ends[1], much, sizeof(much)));
    CALL("it is full", write(ends[1], much, 1));
    CALL("take a page", read(ends[0], much, 4096));
    CALL("put it back", write(ends[1], much, 4096));
    CALL("a byte more", write(ends[1], much, 1));
}

static void say_poll(const char *step, struct pollfd *entry, int milliseconds)
{
    int result = poll(entry, 1, milliseconds);
    say("%s: %d, in %d, out %d, hang-up %d, error %d, invalid %d", step, result,
        (entry->revents & POLLIN) != 0, (entry->revents & POLLOUT) != 0,
        (entry->revents & POLLHUP) != 0, (entry->revents & POLLERR) != 0,
        (entry->revents & POLLNVAL) != 0);
}

static void polling(void)
{
    int ends[2], seen[2];
    char byte;
    pipe(ends);
    pipe(seen);
    struct pollfd reader = {ends[0], POLLIN, 0}, writer = {ends[1], POLLOUT, 0};
    struct pollfd nothing = {700, POLLIN, 0}, none = {-1, POLLIN, 0};
    say_poll("an empty pipe", &reader, 1);
    say_poll("its other end", &writer, 1);
    say_poll("no such file", &nothing, 1);
    say_poll("a negative one", &none, 1);
    pid_t child = fork();
    if (child == 0) {
        pause_briefly();
        write(ends[1], "x", 1);
        read(seen[0], &byte, 1); /* stays until that has been seen */
        _exit(0);
    }
    close(ends[1]);
    say_poll("somebody will write", &reader, 10000);
    write(seen[1], "x", 1);
    waitpid(child, NULL, 0);
    say_poll("nobody writes any more", &reader, 1);
    CALL("too many", poll(&reader, 1 << 20, 0));
}

static void selecting(void)
{
    int ends[2];
    fd_set reading, writing;
    struct timeval soon = {0, 1000};
    pipe(ends);
    FD_ZERO(&reading);
    FD_ZERO(&writing);
    FD_SET(ends[0], &reading);
    CALL("nothing to read", select(ends[1] + 1, &reading, NULL, NULL, &soon));
    FD_SET(ends[0], &reading);
    FD_SET(ends[1], &writing);
    CALL("room to write", select(ends[1] + 1, &reading, &writing, NULL, &soon));
    say_whether("readable", FD_ISSET(ends[0], &reading));
    say_whether("writable", FD_ISSET(ends[1], &writing));
    FD_SET(ends[0], &reading);
    close(ends[0]);
    CALL("no such file", select(ends[0] + 1, &reading, NULL, NULL, &soon));
    CALL("a negative count", select(-1, NULL, NULL, NULL, &soon));
}

static void sending(void)
{
    int from = make_file("tmp/from", 3 * PAGE),
        to = open("tmp/to", O_RDWR | O_CREAT | O_TRUNC, 0600);
    off_t offset = (off_t)PAGE;
    uint8_t byte = 0;
    lseek(from, 0, SEEK_SET);
    CALL("a page and a bit", sendfile(to, from, NULL, PAGE + 10));
    CALL("where that ends", lseek(from, 0, SEEK_CUR));
    CALL("from an offset", sendfile(to, from, &offset, 2 * PAGE + 100));
    say("the offset: %ld", (long)offset);
    CALL("where it is", lseek(from, 0, SEEK_CUR));
    CALL("all of it", lseek(to, 0, SEEK_CUR));
    pread(to, &byte, 1, (off_t)PAGE + 10);
    say("a byte: %d", byte);
    offset = -1;
    CALL("a bad offset", sendfile(to, from, &offset, 1));
    int ends[2];
    pipe(ends);
    CALL("from a pipe", sendfile(to, ends[0], NULL, 1));
    CALL("into one", sendfile(ends[1], from, NULL, 100));
}

static void appending(void)
{
    int file = open("tmp/append", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
    char text[8] = "";
    struct iovec parts[2] = {{"56", 2}, {"7", 1}};
    CALL("write", write(file, "12", 2));
    lseek(file, 0, SEEK_SET);
    CALL("write", write(file, "34", 2));
    CALL("write parts", writev(file, parts, 2));
    CALL("read", pread(file, text, 7, 0));
    say("it holds %s", text);
    CALL("not any more", fcntl(file, F_SETFL, 0));
    CALL("write at the start", pwrite(file, "x", 1, 0));
    CALL("read", pread(file, text, 7, 0));
    say("it holds %s", text);
}

static void holes(void)
{
    int file = open("tmp/holes", O_RDWR | O_CREAT | O_TRUNC, 0600);
    uint8_t bytes[2] = {9, 9};
    struct stat status;
    CALL("write far behind", pwrite(file, "x", 1, 10000));
    CALL("read in the hole", pread(file, bytes, 2, 5000));
    say("it holds %d %d", bytes[0], bytes[1]);
    fstat(file, &status);
    say("size %ld", (long)status.st_size);
    CALL("read at the end", pread(file, bytes, 2, 10001));
    CALL("read behind it", pread(file, bytes, 2, 1 << 30));
}

static void unlinked(void)
{
    int file = make_file("tmp/gone", 2 * PAGE);
    struct stat status;
    uint8_t *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CALL("unlink", unlink("tmp/gone"));
    CALL("twice", unlink("tmp/gone"));
    CALL("it can be read", pread(file, &status, 1, 0));
    fstat(file, &status);
    say("links %ld, size %ld", (long)status.st_nlink, (long)status.st_size);
    close(file);
    WRITE("its mapping lives", memory);
    say_pages("and holds", memory, 2);
}

static void renaming(void)
{
    close(make_file("tmp/one", 1));
    close(make_file("tmp/two", 2));
    struct stat status;
    CALL("a directory", mkdir("tmp/dir", 0755));
    CALL("in it", mkdir("tmp/dir/below", 0755));
    CALL("over another", rename("tmp/one", "tmp/two"));
    CALL("the old name", stat("tmp/one", &status));
    CALL("the new name", stat("tmp/two", &status));
    say("size %ld", (long)status.st_size);
    CALL("file over directory", rename("tmp/two", "tmp/dir"));
    CALL("directory over file", rename("tmp/dir", "tmp/two"));
    CALL("into itself", rename("tmp/dir", "tmp/dir/below/x"));
    CALL("over one that isn't empty", rename("tmp/dir/below", "tmp/dir"));
    CALL("nothing", rename("tmp/none", "tmp/x"));
    CALL("to itself", rename("tmp/two", "tmp/two"));
    CALL("move a directory", rename("tmp/dir/below", "tmp/moved"));
    CALL("its parent is empty now", rmdir("tmp/dir"));
    CALL("up from it", stat("tmp/moved/../two", &status));
}

static void directories(void)
{
    struct stat status;
    mkdir("tmp/list", 0750);
    stat("tmp/list", &status);
    say("mode %o, links %ld", status.st_mode, (long)status.st_nlink);
    mkdir("tmp/list/sub", 0777);
    stat("tmp/list", &status);
    say("links %ld", (long)status.st_nlink);
    CALL("remove a full one", rmdir("tmp/list"));
    CALL("unlink one", syscall(SYS_unlinkat, AT_FDCWD, "tmp/list/sub", 0));
    CALL("remove .", rmdir("tmp/list/."));
    CALL("remove ..", rmdir("tmp/list/.."));
    CALL("remove it", rmdir("tmp/list/sub/"));
    int place = open("tmp/list", O_RDONLY | O_DIRECTORY);
    CALL("remove one that is open", rmdir("tmp/list"));
    CALL("make something there", openat(place, "x", O_CREAT | O_RDWR, 0600));
    CALL("go there", fchdir(place));
    CALL("no name", syscall(SYS_getcwd, (char[64]){0}, 64));
}

static void listing(void)
{
    char name[32];
    int seen = 0, special = 0;
    mkdir("tmp/many", 0755);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "tmp/many/file-%d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    DIR *directory = opendir("tmp/many");
    must(directory != NULL, "opendir");
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.') {
            special++;
            continue;
        }
        seen++;
        snprintf(name, sizeof(name), "tmp/many/%.16s", entry->d_name);
        unlink(name);
    }
    say("%d names, %d of them special, each removed on the way", seen + special, special);
    closedir(directory);
    CALL("nothing is left", rmdir("tmp/many"));
    CALL("of a file", syscall(SYS_getdents64, make_file("tmp/plain", 1), name, 32));
    CALL("too little room", syscall(SYS_getdents64, open("tmp", O_RDONLY), name, 8));
}

static void links(void)
{
    char text[16] = "";
    struct stat status;
    close(make_file("tmp/target", 5));
    CALL("symbolic", symlink("target", "tmp/soft"));
    CALL("again", symlink("target", "tmp/soft"));
    CALL("to nothing", symlink("", "tmp/empty"));
    CALL("read it", readlink("tmp/soft", text, sizeof(text)));
    CALL("read 3 bytes", readlink("tmp/soft", text, 3));
    CALL("read 0 bytes", syscall(SYS_readlink, "tmp/soft", text, 0));
    CALL("read what is none", readlink("tmp/target", text, sizeof(text)));
    CALL("hard", link("tmp/target", "tmp/hard"));
    CALL("to a directory", link("tmp", "tmp/tree"));
    stat("tmp/soft", &status);
    say("links %ld, size %ld", (long)status.st_nlink, (long)status.st_size);
    lstat("tmp/soft", &status);
    say("a link: %d, size %ld", S_ISLNK(status.st_mode), (long)status.st_size);
    symlink("circle", "tmp/circle");
    CALL("a circle", open("tmp/circle", O_RDONLY));
    CALL("open a link itself", open("tmp/soft", O_RDONLY | O_NOFOLLOW));
}

static void named_pipe(void)
{
    char text[8] = "";
    CALL("make it", mkfifo("tmp/fifo", 0600));
    CALL("nobody reads", open("tmp/fifo", O_WRONLY | O_NONBLOCK));
    pid_t child = fork();
    if (child == 0) {
        int out = open("tmp/fifo", O_WRONLY);
        write(out, "through", 7);
        _exit(0);
    }
    int in = open("tmp/fifo", O_RDONLY);
    CALL("read", read(in, text, 7));
    say("it says %s", text);
    waitpid(child, NULL, 0);
    CALL("the end", read(in, text, 7));
}

static void futexes(void)
{
    uint32_t *word = (uint32_t *)(void *)map_shared_pages(1);
    struct timespec soon = {0, 1000000};
    CALL("another value", syscall(SYS_futex, word, 0, 1, NULL));
    CALL("until a time", syscall(SYS_futex, word, 0, 0, &soon));
    CALL("unaligned", syscall(SYS_futex, (char *)word + 1, 0, 0, NULL));
    CALL("nobody waits", syscall(SYS_futex, word, 1, 1));
    pid_t child = fork();
    if (child == 0) {
        pause_briefly();
        __atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, word, 1, 1);
        _exit(0);
    }
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 0)
        syscall(SYS_futex, word, 0, 0, NULL);
    say("the other process has woken it");
    waitpid(child, NULL, 0);
}

const struct guest_case descriptor_cases[] = {
    {"descriptor.duplicates", duplicates},
    {"descriptor.lowest_number", lowest_number},
    {"descriptor.pipe_ends", pipe_ends},
    {"descriptor.pipe_without_waiting", pipe_without_waiting},
    {"descriptor.polling", polling},
    {"descriptor.selecting", selecting},
    {"descriptor.sending", sending},
    {"descriptor.appending", appending},
    {"descriptor.holes", holes},
    {"descriptor.unlinked", unlinked},
    {"descriptor.renaming", renaming},
    {"descriptor.directories", directories},
    {"descriptor.listing", listing},
    {"descriptor.links", links},
    {"descriptor.named_pipe", named_pipe},
    {"descriptor.futexes", futexes},
    {NULL, NULL},
};
