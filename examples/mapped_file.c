/* SPDX-License-Identifier: MIT */
/* A file as memory, of which at most 4 MiB are there at once: its bytes are summed, and again by read(2). Without
 * an argument, it is this program's own file.
 *
 *   cc mapped_file.c $(pkg-config --cflags --libs quire) -o sum && ./sum FILE */
#include <stdio.h>
#include <sys/stat.h>

#include <quire/quire.h>

static int say(const char *what, int error)
{
    fprintf(stderr, "%s: %s %s\n", what, vm_error_text(error), quire_why());
    return 1;
}

static unsigned long sum_by_reading(const char *path)
{
    unsigned long sum = 0;
    FILE *file = fopen(path, "r");
    for (int byte; file != NULL && (byte = getc(file)) != EOF;)
        sum += (unsigned char)byte;
    if (file != NULL)
        fclose(file);
    return sum;
}

int main(int argc, char **argv)
{
    struct quire_options options = {.budget = (size_t)4 << 20};
    struct vm_store_file_options file = {.path = argc > 1 ? argv[1] : "/proc/self/exe"};
    struct quire_mapping mapping = {.name = "file", .flags = QUIRE_READ_ONLY};
    struct quire_info info;
    struct stat status;
    unsigned long sum = 0;
    void *bytes;
    if (stat(file.path, &status) != 0) {
        perror(file.path);
        return 1;
    }
    if (status.st_size == 0) {
        fprintf(stderr, "%s: has no bytes to be shown\n", file.path);
        return 1;
    }
    int error = quire_start(&options);
    if (error != VM_OK)
        return say("quire_start", error);
    if ((error = vm_store_create_file(&file, &mapping.store)) != VM_OK)
        return say(file.path, error);
    mapping.size = (size_t)status.st_size;
    if ((error = quire_map(&mapping, &bytes)) != VM_OK)
        return say("quire_map", error);
    for (size_t i = 0; i < mapping.size; i++)
        sum += ((const unsigned char *)bytes)[i];
    if ((error = quire_get_info(&info)) != VM_OK)
        return say("quire_get_info", error);
    printf("%zu bytes come to %lu, with %llu faults and never more than 4 MiB of them in memory\n",
           mapping.size, sum, (unsigned long long)info.faults);
    if ((error = quire_stop()) != VM_OK)
        return say("quire_stop", error);
    return sum == sum_by_reading(file.path) ? 0 : 1;
}
