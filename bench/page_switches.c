/* SPDX-License-Identifier: MIT */
/* `page-switches MOST FILE <TEXT` reads what valgrind's lackey says with --trace-mem=yes, up to MOST
 * accesses, and writes the page of each that is on another page than the one before: numbers of 32 bits,
 * from 0 as pages first appear. Prints how many accesses there were. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE ((size_t)1 << 20)
#define PAGE_SHIFT 12

static struct {
    uint64_t name; /* and 1 */
    uint32_t number;
} table[TABLE];
static uint32_t pages, last = UINT32_MAX;

static uint32_t number_of(uint64_t name)
{
    size_t at = (size_t)((name * 0x9e3779b97f4a7c15u) >> 44);
    while (table[at].name != 0 && table[at].name != name + 1)
        at = (at + 1) % TABLE;
    if (table[at].name == 0) {
        if (pages == TABLE / 2) {
            fputs("page-switches: too many pages\n", stderr);
            exit(1);
        }
        table[at].name = name + 1;
        table[at].number = pages++;
    }
    return table[at].number;
}

static void write_page(uint64_t name, FILE *file)
{
    uint32_t number = number_of(name);
    if (number == last)
        return;
    last = number;
    fwrite(&number, sizeof(number), 1, file);
}

/* "I  04001000,3" and " L 1ffeffff,8", and likewise S and M; anything else is none. */
static bool parse(const char *line, uint64_t *address, uint64_t *size)
{
    bool code = memcmp(line, "I  ", 3) == 0;
    bool data = line[0] == ' ' && strchr("LSM", line[1]) && line[1] != '\0' && line[2] == ' ';
    char *end = NULL;
    if (!code && !data)
        return false;
    *address = strtoull(line + 3, &end, 16);
    if (*end != ',')
        return false;
    *size = strtoull(end + 1, &end, 10);
    return *size > 0 && *end == '\n';
}

int main(int argc, char **argv)
{
    char line[4096];
    unsigned long long most = argc == 3 ? strtoull(argv[1], NULL, 10) : 0, accesses = 0;
    FILE *file = most > 0 ? fopen(argv[2], "wb") : NULL;
    if (!file) {
        fputs("usage: page-switches MOST FILE\n", stderr);
        return 2;
    }
    while (accesses < most && fgets(line, sizeof(line), stdin)) {
        uint64_t address, size;
        if (!parse(line, &address, &size))
            continue;
        write_page(address >> PAGE_SHIFT, file);
        write_page((address + size - 1) >> PAGE_SHIFT, file);
        accesses++;
    }
    printf("%llu\n", accesses);
    return ferror(file) || fclose(file) != 0 ? 1 : 0;
}
