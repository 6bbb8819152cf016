/* SPDX-License-Identifier: MIT */
/* A fault that is late: the core has brought its page, and its region goes before the rest is done. */
#include "support.h"

#include <pthread.h>

static volatile unsigned char *at;
static uint32_t resolved, unmapped;
static addr_t holds_at; /* atomic */
static struct kept {
    void *at;
    size_t size;
} kept_structures[29 * 40];
static size_t kept_count;

int __real_vm_fault_address_space(vm_address_space *aspace, addr_t address, unsigned access);
int __wrap_vm_fault_address_space(vm_address_space *aspace, addr_t address, unsigned access);
int __wrap_vm_fault_address_space(vm_address_space *aspace, addr_t address, unsigned access)
{
    int error = __real_vm_fault_address_space(aspace, address, access);
    if (error == VM_OK && address == __atomic_load_n(&holds_at, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&holds_at, 0, __ATOMIC_RELAXED);
        set_word(&resolved);
        wait_for_word(&unmapped, 20000);
    }
    return error;
}

static void *read_first(void *caught)
{
    *(int *)caught = caught_read((const void *)at);
    return NULL;
}

/* What the core has for structures of this size next is full of ones. */
static void use_memory_of_regions(void)
{
    for (size_t size = 64; size <= 512; size += 16)
        for (int i = 0; i < 40; i++) {
            void *structure = vm_meta_alloc(size);
            assert_non_null(structure);
            memset(structure, 0x11, size);
            kept_structures[kept_count++] = (struct kept){structure, size};
        }
}

static void check_memory_of_others(void)
{
    for (size_t i = 0; i < kept_count; i++) {
        const unsigned char *bytes = kept_structures[i].at;
        for (size_t b = 0; b < kept_structures[i].size; b++)
            assert_int_equal(bytes[b], 0x11);
        vm_meta_free(kept_structures[i].at, kept_structures[i].size);
    }
}

static void test_a_late_fault_writes_into_no_structure_of_others(void)
{
    struct quire_mapping mapping = {.name = "going", .size = 128 * PAGE, .limit = 64 * PAGE};
    pthread_t reader;
    int caught = 0;
    void *region;
    catch_signals();
    OK(quire_start(&(struct quire_options){.budget = 8 * MIB, .mode = QUIRE_MODE_SIGNAL}));
    OK(quire_map(&mapping, &region));
    at = region;
    __atomic_store_n(&holds_at, (addr_t)region, __ATOMIC_RELEASE);
    assert_int_equal(pthread_create(&reader, NULL, read_first, &caught), 0);
    wait_for_word(&resolved, 20000);
    assert_int_equal(resolved, 1);
    OK(quire_unmap(region));
    use_memory_of_regions();
    set_word(&unmapped);
    pthread_join(reader, NULL);
    assert_int_not_equal(caught, 0);
    check_memory_of_others();
    OK(quire_stop());
}

LINUX_MAIN(TEST_WITH(test_a_late_fault_writes_into_no_structure_of_others, .budget = 0))
