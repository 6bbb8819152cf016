/* SPDX-License-Identifier: MIT */
/* Checkpoints that write what has changed since the one before. */
#include <quire/quire.h>
#include <stdio.h>
#include <string.h>

enum { PAGES = 4096, ROUNDS = 8, EACH_ROUND = 50 };

/* How many pages were written, or -1. */
static long checkpoint(unsigned char *data, FILE *file)
{
    static unsigned char changed[PAGES];
    long written = 0;
    if (quire_changed(data, sizeof changed * VM_PAGE_SIZE, changed))
        return -1;
    for (size_t page = 0; page < PAGES; page++)
        if (changed[page]) {
            size_t at = page * VM_PAGE_SIZE;
            written++;
            if (quire_populate(data + at, VM_PAGE_SIZE, false) || /* for the system call */
                fseek(file, (long)at, SEEK_SET) || fwrite(data + at, VM_PAGE_SIZE, 1, file) != 1)
                return -1;
        }
    return written;
}

static bool is_the_same(const unsigned char *data, FILE *file)
{
    unsigned char page[VM_PAGE_SIZE];
    rewind(file);
    for (size_t i = 0; i < PAGES; i++)
        if (fread(page, sizeof page, 1, file) != 1 ||
            memcmp(page, data + i * VM_PAGE_SIZE, sizeof page))
            return false;
    return true;
}

int main(void)
{
    struct quire_options options = {.budget = (size_t)32 << 20};
    struct quire_mapping mapping = {.name = "data", .size = PAGES * VM_PAGE_SIZE};
    unsigned long random = 1;
    FILE *file = tmpfile();
    void *data;
    if (file == NULL || quire_start(&options) || quire_map(&mapping, &data))
        return 1;
    memset(data, 'a', mapping.size);
    long first = checkpoint(data, file), later = 0, written;
    for (int round = 0; round < ROUNDS; round++, later += written) {
        for (int i = 0; i < EACH_ROUND; i++, random = random * 69069 + 5)
            ((unsigned char *)data)[random % mapping.size] = (unsigned char)random;
        if ((written = checkpoint(data, file)) < 0 || written > EACH_ROUND)
            return 1;
    }
    bool is_good = first == PAGES && later > 0 && is_the_same(data, file);
    printf("a checkpoint of %ld pages, then %d of %ld in all: %s\n", first, ROUNDS, later,
           is_good ? "the file is what memory is" : "wrong");
    return quire_stop() || !is_good;
}
