/* SPDX-License-Identifier: MIT */
/* A file of any size as memory that is written in place, with 16 MiB of RAM: counts how often each byte occurs,
 * and with --upper makes the letters of the file large.
 *
 *   cc process.c $(pkg-config --cflags --libs quire) -o count && ./count FILE [--upper] */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <quire/host.h>
#include <quire/quire.h>

/* A store: where pages come from and go to. Quire calls it with no lock held, from any thread. */
static int file;
static off_t file_size;

static bool has_page(vm_store *store, off_t offset)
{
    (void)store;
    return offset < file_size;
}

static off_t size_of_file(vm_store *store)
{
    (void)store;
    return file_size;
}

static int read_pages(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    (void)store;
    for (size_t i = 0; i < count; i++) {
        ssize_t got = pread(file, host_frame_ptr(frames[i]), VM_PAGE_SIZE, offset + (off_t)*done);
        if (got < 0)
            return ERR_IO;
        *done += (size_t)got;
    }
    return VM_OK;
}

/* What is behind the file's end isn't the file's. */
static int write_pages(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                       size_t *done)
{
    (void)store;
    for (size_t i = 0; i < count; i++) {
        off_t at = offset + (off_t)(i * VM_PAGE_SIZE), left = file_size - at;
        size_t length = left < (off_t)VM_PAGE_SIZE ? (size_t)left : VM_PAGE_SIZE;
        if (pwrite(file, host_frame_ptr(frames[i]), length, at) != (ssize_t)length)
            return ERR_IO;
        *done += VM_PAGE_SIZE;
    }
    return VM_OK;
}

static void close_file(vm_store *store)
{
    (void)store;
    close(file);
}

static const struct vm_store_ops ops = {.destroy = close_file,
                                        .has_page = has_page,
                                        .size = size_of_file,
                                        .read = read_pages,
                                        .write = write_pages};
static vm_store store = {.ops = &ops};

static int say(const char *what, int error)
{
    fprintf(stderr, "%s: %s %s\n", what, vm_error_text(error), quire_why());
    return 1;
}

static void count(const unsigned char *bytes)
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
    struct stat status;
    void *bytes;
    file = argc > 1 ? open(argv[1], O_RDWR) : -1;
    if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) {
        fprintf(stderr, "usage: %s FILE [--upper]\n", argv[0]);
        return 1;
    }
    file_size = status.st_size;
    int error = quire_start(&options);
    if (error != VM_OK)
        return say("quire_start", error);
    struct quire_mapping mapping = {.store = &store, .size = (size_t)file_size};
    if ((error = quire_map(&mapping, &bytes)) != VM_OK)
        return say("quire_map", error);
    count(bytes);
    if (argc > 2 && strcmp(argv[2], "--upper") == 0)
        for (off_t i = 0; i < file_size; i++)
            ((unsigned char *)bytes)[i] = (unsigned char)toupper(((unsigned char *)bytes)[i]);
    if ((error = quire_stop()) != VM_OK)
        return say("quire_stop", error);
    return 0;
}
