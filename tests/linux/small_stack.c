/* SPDX-License-Identifier: MIT */
/* A program of the installed library, which is compiled otherwise than the parts that the tests have: faults on little
 * more of an alternate stack than Linux takes leave what is below it. */
#include <quire/quire.h>
#include <quire/stores.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#define PAGE ((size_t)4096)
#define PAGES ((size_t)4000)
#define GUARD ((size_t)65536)
#define MORE ((size_t)1024)

static volatile char *map(void)
{
    struct quire_options options = {.budget = 4 << 20, .mode = QUIRE_MODE_SIGNAL};
    struct quire_mapping mapping = {.size = PAGES * PAGE, .granule = PAGE};
    void *address;
    if (vm_store_create_memory(PAGES, &mapping.store) != VM_OK || quire_start(&options) != VM_OK ||
        quire_map(&mapping, &address) != VM_OK)
        return NULL;
    return address;
}

/* Where the guard below it begins. */
static unsigned char *small_stack(void)
{
    size_t least = getauxval(AT_MINSIGSTKSZ), size = (least > 2048 ? least : 2048) + MORE;
    unsigned char *guard =
        mmap(NULL, GUARD + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard == MAP_FAILED)
        return NULL;
    memset(guard, 0xee, GUARD);
    stack_t alternate = {.ss_sp = guard + GUARD, .ss_size = size};
    return sigaltstack(&alternate, NULL) == 0 ? guard : NULL;
}

int main(void)
{
    volatile char *bytes = map();
    const unsigned char *guard = bytes ? small_stack() : NULL;
    if (!guard)
        return 1;
    for (size_t i = 0; i < PAGES; i++)
        bytes[i * PAGE] = (char)i;
    for (size_t i = 0; i < PAGES; i++)
        if (bytes[i * PAGE] != (char)i)
            return 1;
    for (size_t i = 0; i < GUARD; i++)
        if (guard[i] != 0xee) {
            printf("%zu bytes below the stack were written\n", GUARD - i);
            return 1;
        }
    return 0;
}
