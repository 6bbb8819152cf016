/* SPDX-License-Identifier: MIT */
/* Quire over libquire's store of a file. */
#include "process.h"

#include <fcntl.h>
#include <quire/quire.h>
#include <stdio.h>
#include <stdlib.h>

static size_t mapped_size;
static unsigned char *base;

static void check(int error)
{
    if (error == VM_OK)
        return;
    fprintf(stderr, "process: %s %s\n", vm_error_text(error), quire_why());
    exit(1);
}

static unsigned char *start_with(int fd, size_t size, size_t budget, size_t granule)
{
    struct quire_options options = {.budget = budget};
    struct vm_store_file_options file = {.descriptor = fd, .flags = VM_STORE_FILE_WRITABLE};
    struct quire_mapping mapping = {.size = size, .granule = granule};
    void *address;
    check(vm_store_create_file(&file, &mapping.store));
    check(quire_start(&options));
    check(quire_map(&mapping, &address));
    mapped_size = size;
    base = address;
    return base;
}

static unsigned char *start_quire(int fd, size_t size, size_t budget)
{
    return start_with(fd, size, budget, 0);
}

static unsigned char *start_64k(int fd, size_t size, size_t budget)
{
    return start_with(fd, size, budget, 16 * PAGE);
}

static unsigned char *start_4k(int fd, size_t size, size_t budget)
{
    return start_with(fd, size, budget, PAGE);
}

static void finish_quire(void)
{
    check(quire_flush(base, mapped_size));
}

static uint64_t quire_faults(void)
{
    struct quire_info info;
    check(quire_get_info(&info));
    return info.faults;
}

#define WAY(name, flags, start)                                                                    \
    {                                                                                              \
        name, flags, true, start, NULL, finish_quire, quire_faults                                 \
    }

const struct way way_quire = WAY("quire", 0, start_quire);
const struct way way_quire_64k = WAY("quire-64k", 0, start_64k);
const struct way way_quire_4k = WAY("quire-4k", 0, start_4k);
const struct way way_quire_direct = WAY("quire-direct", O_DIRECT, start_quire);
const struct way way_direct_64k = WAY("direct-64k", O_DIRECT, start_64k);
