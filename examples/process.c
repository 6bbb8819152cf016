/* SPDX-License-Identifier: MIT */
/* A file of any size as memory that is written in place, with 16 MiB of RAM: counts how often each byte occurs,
 * and with --upper makes the letters of the file large.
 *
 *   cc process.c $(pkg-config --cflags --libs quire) -o count && ./count FILE [--upper] */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <quire/quire.h>

static int say(const char *what, int error)
{
    fprintf(stderr, "%s: %s %s\n", what, vm_error_text(error), quire_why());
    return 1;
}

static void count(const unsigned char *bytes, off_t file_size)
{
    size_t counts[256] = {0};
    for (off_t i = 0; i < file_size; i++)
        counts[bytes[i]]++;
    for (int byte = 0; byte < 256; byte++)
        if (counts[byte] > 0)
            printf("%02x %zu\n", (unsigned)byte, counts[byte]);
}

int main(int argc, char **argv)
{
    struct quire_options options = {.budget = (size_t)16 << 20};
    struct vm_store_file_options from = {.path = argc > 1 ? argv[1] : "",
                                         .flags = VM_STORE_FILE_WRITABLE};
    struct quire_mapping mapping = {.name = "file"};
    struct stat status;
    void *bytes;
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE [--upper]\n", argv[0]);
        return 1;
    }
    if (stat(from.path, &status) != 0) {
        perror(from.path);
        return 1;
    }
    if (status.st_size == 0) {
        fprintf(stderr, "%s: has no bytes to be counted\n", from.path);
        return 1;
    }
    int error = quire_start(&options);
    if (error != VM_OK)
        return say("quire_start", error);
    if ((error = vm_store_create_file(&from, &mapping.store)) != VM_OK)
        return say(from.path, error);
    mapping.size = (size_t)status.st_size;
    if ((error = quire_map(&mapping, &bytes)) != VM_OK)
        return say("quire_map", error);
    count(bytes, status.st_size);
    if (argc > 2 && strcmp(argv[2], "--upper") == 0)
        for (off_t i = 0; i < status.st_size; i++)
            ((unsigned char *)bytes)[i] = (unsigned char)toupper(((unsigned char *)bytes)[i]);
    if ((error = quire_stop()) != VM_OK)
        return say("quire_stop", error);
    return 0;
}
