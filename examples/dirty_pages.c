/* SPDX-License-Identifier: MIT */
/* Checkpoints that write what has changed since the one before, and nothing else. */
#include <stdio.h>
#include <string.h>

#include <quire/quire.h>

enum { PAGES = 4096, ROUNDS = 8, EACH_ROUND = 50 };
static unsigned char changed[PAGES];

/* How many pages were written to the file; below 0: an error. */
static long checkpoint(unsigned char *data, FILE *file)
{
    long written = 0;
    if (quire_changed(data, sizeof changed * VM_PAGE_SIZE, changed) != VM_OK)
        return -1;
    for (size_t page = 0; page < PAGES; page++)
        if (changed[page]) {
            unsigned char *bytes = data + page * VM_PAGE_SIZE;
            if (fseek(file, (long)(page * VM_PAGE_SIZE), SEEK_SET) != 0 ||
                quire_populate(bytes, VM_PAGE_SIZE, false) != VM_OK || /* for the system call */
                fwrite(bytes, VM_PAGE_SIZE, 1, file) != 1)
                return -1;
            written++;
        }
    return written;
}

static bool is_the_same(const unsigned char *data, FILE *file)
{
    unsigned char page[VM_PAGE_SIZE];
    rewind(file);
    for (size_t i = 0; i < PAGES; i++)
        if (fread(page, sizeof page, 1, file) != 1 ||
            memcmp(page, data + i * VM_PAGE_SIZE, sizeof page) != 0)
            return false;
    return true;
}

int main(void)
{
    struct quire_options options = {.budget = (size_t)32 << 20};
    struct quire_mapping mapping = {.name = "data", .size = PAGES * VM_PAGE_SIZE};
    FILE *file = tmpfile();
    unsigned long random = 1;
    void *data;
    if (file == NULL || quire_start(&options) || quire_map(&mapping, &data))
        return 1;
    memset(data, 'a', mapping.size);
    long first = checkpoint(data, file), later = 0;
    for (int round = 0; round < ROUNDS && later >= 0; round++) {
        for (int i = 0; i < EACH_ROUND; i++, random = random * 69069 + 5)
            ((unsigned char *)data)[random % mapping.size] = (unsigned char)random;
        long written = checkpoint(data, file);
        later = written < 0 || written > EACH_ROUND ? -1 : later + written;
    }
    bool is_good = first == PAGES && later > 0 && is_the_same(data, file);
    printf("a checkpoint of %ld pages, then %d that wrote %ld pages in all: the file is %s\n",
           first, ROUNDS, later, is_good ? "what memory is" : "wrong");
    return quire_stop() != VM_OK || !is_good;
}
