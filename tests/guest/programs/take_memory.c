/* SPDX-License-Identifier: MIT */
/* Fills memory that nobody promised, until there is none. */
#include <stddef.h>
#include <sys/mman.h>

int main(void)
{
    size_t size = (size_t)1 << 30;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    for (size_t at = 0; at < size; at += 4096)
        memory[at] = (char)(at / 4096 + 1);
    return 0;
}
