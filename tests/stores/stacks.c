/* SPDX-License-Identifier: MIT */
#include "stacks.h"

static vm_store *lz4(size_t pages)
{
    return make_compressed(pages, VM_STORE_LZ4, NULL);
}

static vm_store *zstd(size_t pages)
{
    return make_compressed(pages, VM_STORE_ZSTD, NULL);
}

static vm_store *checksum_file(size_t pages)
{
    return make_checksum(pages, make_file(pages));
}

static vm_store *checksum_memory(size_t pages)
{
    return make_checksum(pages, make_memory(pages));
}

static vm_store *checksum_lz4(size_t pages)
{
    return make_checksum(pages, lz4(pages));
}

static vm_store *checksum_zstd(size_t pages)
{
    return make_checksum(pages, zstd(pages));
}

static vm_store *checksum_checksum(size_t pages)
{
    return make_checksum(pages, checksum_memory(pages));
}

static vm_store *lz4_file(size_t pages)
{
    return make_compressed(pages, VM_STORE_LZ4, make_file(space_below(pages)));
}

static vm_store *lz4_memory(size_t pages)
{
    return make_compressed(pages, VM_STORE_LZ4, make_memory(space_below(pages)));
}

static vm_store *lz4_checksum(size_t pages)
{
    return make_compressed(pages, VM_STORE_LZ4, checksum_memory(space_below(pages)));
}

static vm_store *lz4_zstd(size_t pages)
{
    return make_compressed(pages, VM_STORE_LZ4, zstd(space_below(pages)));
}

static vm_store *zstd_file(size_t pages)
{
    return make_compressed(pages, VM_STORE_ZSTD, make_file(space_below(pages)));
}

static vm_store *zstd_memory(size_t pages)
{
    return make_compressed(pages, VM_STORE_ZSTD, make_memory(space_below(pages)));
}

static vm_store *zstd_checksum(size_t pages)
{
    return make_compressed(pages, VM_STORE_ZSTD, checksum_file(space_below(pages)));
}

static vm_store *zstd_lz4(size_t pages)
{
    return make_compressed(pages, VM_STORE_ZSTD, lz4_file(space_below(pages)));
}

const struct stack stacks[] = {
    {"file", make_file},
    {"memory", make_memory},
    {"lz4", lz4},
    {"zstd", zstd},
    {"checksum over file", checksum_file},
    {"checksum over memory", checksum_memory},
    {"checksum over lz4", checksum_lz4},
    {"checksum over zstd", checksum_zstd},
    {"checksum over checksum", checksum_checksum},
    {"lz4 over file", lz4_file},
    {"lz4 over memory", lz4_memory},
    {"lz4 over checksum", lz4_checksum},
    {"lz4 over zstd", lz4_zstd},
    {"zstd over file", zstd_file},
    {"zstd over memory", zstd_memory},
    {"zstd over checksum", zstd_checksum},
    {"zstd over lz4", zstd_lz4},
};
const size_t stack_count = sizeof(stacks) / sizeof(stacks[0]);
