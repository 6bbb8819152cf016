/* SPDX-License-Identifier: MIT */
/* Copies with a program's memory, as a kernel does them: with the kernel's rights, page by page, and
 * with a fault handler that gives up at the byte that can't be reached. An address says whose it is:
 * the program's, the simulated kernel's, or this process's own (the core's and the tests' memory). */
#include "internal.h"

#include <string.h>

/* The copying instruction, and where its fault handler goes on. */
#define COPY_IP (SIM_BOOT_BASE + 0x100)
#define RECOVERY_IP (SIM_BOOT_BASE + 0x200)

addr_t host_fault_handler(addr_t ip)
{
    return ip == COPY_IP ? RECOVERY_IP : 0;
}

static bool is_simulated(addr_t address)
{
    return (address >= SIM_USER_BASE && address < SIM_USER_END) || address >= SIM_KERNEL_BASE;
}

static size_t to_page_end(addr_t address)
{
    return VM_PAGE_SIZE - (address & VM_PAGE_MASK);
}

/* Reads into `block` up to `limit` bytes, at most to the end of the page; 0 where it can't. */
static size_t load(uint8_t *block, addr_t from, size_t limit, bool string)
{
    const uint8_t *memory = (const uint8_t *)from;
    if (to_page_end(from) < limit)
        limit = to_page_end(from);
    if (is_simulated(from)) {
        int error;
        memory = access_resolve(from, COPY_IP, VM_ACCESS_READ, &error);
        if (memory == NULL)
            return 0;
    }
    if (string) {
        size_t length = strnlen((const char *)memory, limit);
        limit = length < limit ? length + 1 : limit;
    }
    memcpy(block, memory, limit);
    return limit;
}

static int store(addr_t to, const uint8_t *block, size_t size)
{
    if (!is_simulated(to)) {
        memcpy((void *)to, block, size);
        return VM_OK;
    }
    for (size_t done = 0; done < size;) {
        int error;
        uint8_t *memory = access_resolve(to + done, COPY_IP, VM_ACCESS_WRITE, &error);
        if (memory == NULL)
            return ERR_VM_BAD_USER_MEMORY;
        size_t now = to_page_end(to + done);
        if (now > size - done)
            now = size - done;
        memcpy(memory, block + done, now);
        done += now;
    }
    return VM_OK;
}

/* A string may go on up to the end of user space: nothing is mapped behind that. */
static bool leaves_user_space(addr_t start, size_t done)
{
    return start < SIM_USER_END && start + done >= SIM_USER_END;
}

static int copy(addr_t to, addr_t from, size_t size, bool string)
{
    uint8_t block[VM_PAGE_SIZE];
    for (size_t done = 0; done < size;) {
        if (leaves_user_space(to, done) || leaves_user_space(from, done))
            return ERR_VM_BAD_USER_MEMORY;
        size_t now = load(block, from + done, size - done, string);
        if (now == 0)
            return ERR_VM_BAD_USER_MEMORY;
        int error = store(to + done, block, now);
        if (error != VM_OK)
            return error;
        if (string && block[now - 1] == 0)
            return VM_OK;
        done += now;
    }
    return VM_OK;
}

int host_user_memcpy(void *to, const void *from, size_t size)
{
    return copy((addr_t)to, (addr_t)from, size, false);
}

int host_user_strcpy(char *to, const char *from)
{
    return copy((addr_t)to, (addr_t)from, SIZE_MAX, true);
}

int host_user_strncpy(char *to, const char *from, size_t size)
{
    return copy((addr_t)to, (addr_t)from, size, true);
}

int host_user_memset(void *to, char c, size_t size)
{
    uint8_t block[VM_PAGE_SIZE];
    memset(block, c, size < sizeof(block) ? size : sizeof(block));
    for (size_t done = 0; done < size;) {
        size_t now = size - done < sizeof(block) ? size - done : sizeof(block);
        int error = store((addr_t)to + done, block, now);
        if (error != VM_OK)
            return error;
        done += now;
    }
    return VM_OK;
}
