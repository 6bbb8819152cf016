/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

vm_store *store;
int file;
addr_t frames[MANY];

void open_part(size_t size, unsigned flags, off_t offset, off_t length)
{
    uint8_t *bytes = malloc(size);
    file = temporary_file();
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i % 251);
    assert_int_equal(write(file, bytes, size), size);
    free(bytes);
    struct vm_store_file_options options = {
        .descriptor = file, .flags = flags, .offset = offset, .length = length};
    OK(vm_store_create_file(&options, &store));
    for (size_t i = 0; i < MANY; i++)
        OK(frames_allocate(1, false, &frames[i]));
}

void open_all(size_t size, unsigned flags)
{
    open_part(size, flags, 0, 0);
}

void end(void)
{
    faults_none();
    faults_shorten(0);
    faults_wait(false);
    for (size_t i = 0; i < MANY; i++)
        frames_free(frames[i], 1);
    store_end(store);
    close(file);
}

int read_pages(size_t page, size_t count, size_t *done)
{
    *done = 1;
    return store->ops->read(store, PAGES(page), frames, count, done);
}

int write_pages(size_t page, size_t count, size_t *done)
{
    *done = 1;
    return store->ops->write(store, PAGES(page), frames, count, done);
}

off_t file_size(void)
{
    struct stat about;
    assert_int_equal(fstat(file, &about), 0);
    return about.st_size;
}
