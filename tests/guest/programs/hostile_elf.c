/* SPDX-License-Identifier: MIT */
/* hostile_elf PROGRAM SEED COUNT: executes that many copies of a program in which something of the
 * headers is wrong, or the end is missing. Each ends somehow; the kernel must go on. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COPY "/tmp/hostile"
#define HEADERS 512u /* the file header and the first program headers */

static uint64_t state;

static uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void spoil(uint8_t *program)
{
    static const uint64_t telling[] = {
        0,        1,       0xfff,          0x1000,         (uint64_t)-1,       ~(1ull << 63),
        0xffff,   0x10000, 0x7ffffffff000, 0x7fffffffe000, 1ull << 63,         0x800000000000,
        0x400000, 1 << 20, 1ull << 40,     1ull << 50,     0xffffffff80000000,
    };
    for (uint64_t n = 1 + random_number() % 3; n > 0; n--) {
        uint64_t value = telling[random_number() % (sizeof(telling) / sizeof(*telling))];
        if (random_number() % 2 == 0)
            memcpy(program + random_number() % (HEADERS / 8) * 8, &value, sizeof(value));
        else
            program[random_number() % HEADERS] = (uint8_t)random_number();
    }
    /* Mostly what the kernel doesn't refuse at the first glance. */
    if (random_number() % 8 != 0)
        memcpy(program, "\177ELF\2\1\1", 7);
}

static bool write_copy(const uint8_t *program, size_t size)
{
    unlink(COPY);
    int file = open(COPY, O_CREAT | O_WRONLY | O_TRUNC, 0755);
    bool good = file >= 0 && write(file, program, size) == (ssize_t)size;
    close(file);
    return good;
}

static void run_copy(void)
{
    char *const arguments[] = {(char *)(uintptr_t)COPY, NULL};
    pid_t child = fork();
    if (child == 0) {
        alarm(1);
        execve(COPY, arguments, arguments + 1);
        _exit(1);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int file = open(argv[1], O_RDONLY);
    struct stat stat;
    if (file < 0 || fstat(file, &stat) != 0 || stat.st_size < (off_t)HEADERS)
        return 1;
    size_t size = (size_t)stat.st_size;
    uint8_t *program = malloc(size), *copy = malloc(size);
    if (program == NULL || copy == NULL || read(file, program, size) != (ssize_t)size)
        return 1;
    state = strtoul(argv[2], NULL, 10) * 2 + 1;
    unsigned count = (unsigned)strtoul(argv[3], NULL, 10);
    for (unsigned i = 0; i < count; i++) {
        memcpy(copy, program, size);
        spoil(copy);
        size_t kept = random_number() % 4 != 0 ? size : random_number() % size;
        if (!write_copy(copy, kept))
            return 1;
        run_copy();
    }
    printf("%u files\n", count);
    return 0;
}
