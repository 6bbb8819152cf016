/* SPDX-License-Identifier: MIT */
#define ZSTD_STATIC_LINKING_ONLY /* states in the caller's memory */
#include "store_coder.h"

#include <lz4.h>
#include <zstd.h>

#define ALIGNED(bytes) (((bytes) + 63) & ~(size_t)63)
#define LZ4_MOST 65537
#define ZSTD_DEFAULT 3

bool store_coder_is_valid(enum vm_store_coder kind, int *level)
{
    if (kind == VM_STORE_LZ4) {
        *level = *level == 0 ? 1 : *level;
        return *level >= 1 && *level <= LZ4_MOST;
    }
    *level = *level == 0 ? ZSTD_DEFAULT : *level;
    return kind == VM_STORE_ZSTD && *level >= ZSTD_minCLevel() && *level <= ZSTD_maxCLevel();
}

static size_t pack_memory(enum vm_store_coder kind, int level)
{
    if (kind == VM_STORE_LZ4)
        return ALIGNED((size_t)LZ4_sizeofState());
    return ALIGNED(ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(level, VM_PAGE_SIZE, 0)));
}

size_t store_coder_memory(enum vm_store_coder kind, int level)
{
    size_t unpack = kind == VM_STORE_ZSTD ? ALIGNED(ZSTD_estimateDCtxSize()) : 0;
    return pack_memory(kind, level) + unpack;
}

static bool set(ZSTD_CCtx *state, ZSTD_cParameter parameter, int value)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(state, parameter, value));
}

/* The parameters are set one by one: by the level alone the library takes those for input of any size. */
static bool set_parameters(ZSTD_CCtx *state, int level)
{
    ZSTD_compressionParameters p = ZSTD_getCParams(level, VM_PAGE_SIZE, 0);
    return set(state, ZSTD_c_compressionLevel, level) &&
           set(state, ZSTD_c_windowLog, (int)p.windowLog) &&
           set(state, ZSTD_c_hashLog, (int)p.hashLog) &&
           set(state, ZSTD_c_chainLog, (int)p.chainLog) &&
           set(state, ZSTD_c_searchLog, (int)p.searchLog) &&
           set(state, ZSTD_c_minMatch, (int)p.minMatch) &&
           set(state, ZSTD_c_strategy, (int)p.strategy) && set(state, ZSTD_c_contentSizeFlag, 0);
}

bool store_coder_begin(struct store_coder *coder, enum vm_store_coder kind, int level, void *memory)
{
    size_t pack = pack_memory(kind, level);
    *coder = (struct store_coder){.kind = kind, .level = level, .pack = memory};
    if (kind == VM_STORE_LZ4)
        return true;
    coder->pack = ZSTD_initStaticCCtx(memory, pack);
    coder->unpack =
        ZSTD_initStaticDCtx((uint8_t *)memory + pack, store_coder_memory(kind, level) - pack);
    return coder->pack && coder->unpack && set_parameters(coder->pack, level);
}

size_t store_coder_pack(struct store_coder *coder, const void *page, void *bytes, size_t most)
{
    if (coder->kind == VM_STORE_LZ4) {
        int length = LZ4_compress_fast_extState(coder->pack, page, bytes, (int)VM_PAGE_SIZE,
                                                (int)most, coder->level);
        return length > 0 ? (size_t)length : 0;
    }
    size_t length = ZSTD_compress2(coder->pack, bytes, most, page, VM_PAGE_SIZE);
    return ZSTD_isError(length) ? 0 : length;
}

bool store_coder_unpack(struct store_coder *coder, const void *bytes, size_t length, void *page)
{
    if (coder->kind == VM_STORE_LZ4)
        return LZ4_decompress_safe(bytes, page, (int)length, (int)VM_PAGE_SIZE) ==
               (int)VM_PAGE_SIZE;
    return ZSTD_decompressDCtx(coder->unpack, page, VM_PAGE_SIZE, bytes, length) == VM_PAGE_SIZE;
}
