/* SPDX-License-Identifier: MIT */
/* argv and envp are copied out of the old program's memory, page by page, before that is given up, and
 * then onto the new stack, with the tables of pointers below them. */
#include <kernel/errno.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/string.h>
#include <quire/host.h>
#include "process/arguments.h"

/* The rest of the page that the next string begins or goes on in; NULL with *error set. */
static char *room(struct arguments *arguments, size_t *size, int *error)
{
    size_t page = arguments->used / VM_PAGE_SIZE, offset = arguments->used % VM_PAGE_SIZE;
    if (page == ARGUMENT_PAGES) {
        *error = -E2BIG;
        return NULL;
    }
    if (page == arguments->page_count) {
        if (vm_allocate_frames(1, false, &arguments->pages[page]) != VM_OK) {
            *error = -ENOMEM;
            return NULL;
        }
        arguments->page_count++;
    }
    *size = VM_PAGE_SIZE - offset;
    return (char *)host_frame_ptr(arguments->pages[page]) + offset;
}

/* Copies page by page until a NUL has been copied. */
static int add_string(struct arguments *arguments, const char *text, bool user)
{
    size_t total = 0, size;
    int error = 0;
    while (total < ARGUMENT_MAX) {
        char *to = room(arguments, &size, &error);
        if (to == NULL)
            return error;
        if (user && user_strncpy(to, text, size) != VM_OK)
            return -EFAULT;
        size_t length = strnlen(user ? to : text, size);
        size_t copied = length < size ? length + 1 : size;
        if (!user)
            memcpy(to, text, copied);
        arguments->used += copied;
        if (length < size)
            return 0;
        total += copied;
        text += copied;
    }
    return -E2BIG;
}

int arguments_add(struct arguments *arguments, const char *text)
{
    return add_string(arguments, text, false);
}

int arguments_add_user(struct arguments *arguments, const char *text)
{
    return add_string(arguments, text, true);
}

int arguments_add_array(struct arguments *arguments, addr_t array, unsigned skip, unsigned *count)
{
    if (array == 0)
        return 0;
    for (addr_t i = 0;; i++) {
        const char *text;
        addr_t entry = array + i * sizeof(text);
        /* user_memcpy would take what lies outside user space for the kernel's. */
        if (entry < USER_BASE || entry > USER_TOP - sizeof(text) ||
            user_memcpy(&text, (const void *)entry, sizeof(text)) != VM_OK)
            return -EFAULT;
        if (text == NULL)
            return 0;
        if (i < skip)
            continue;
        if ((addr_t)text < USER_BASE || (addr_t)text >= USER_TOP)
            return -EFAULT;
        int error = arguments_add_user(arguments, text);
        if (error != 0)
            return error;
        ++*count;
    }
}

void arguments_free(struct arguments *arguments)
{
    for (unsigned i = 0; i < arguments->page_count; i++)
        vm_free_frames(arguments->pages[i], 1);
}

/* ---- the new program's stack ---------------------------------------------------------------------- */

enum {
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_EXECFN = 31,
    AUXILIARY_COUNT = 19,
};

static const char platform[] = "x86_64";

/* Writes words upwards; what fails once stays failed. */
struct word_writer {
    addr_t next;
    bool failed;
};

static void put_word(struct word_writer *writer, uint64_t word)
{
    if (!writer->failed)
        writer->failed = user_memcpy((void *)writer->next, &word, sizeof(word)) != VM_OK;
    writer->next += sizeof(word);
}

static void put_pair(struct word_writer *writer, uint64_t key, uint64_t value)
{
    put_word(writer, key);
    put_word(writer, value);
}

static int put_strings(const struct arguments *arguments, addr_t to)
{
    for (size_t done = 0; done < arguments->used; done += VM_PAGE_SIZE) {
        size_t size = arguments->used - done;
        if (size > VM_PAGE_SIZE)
            size = VM_PAGE_SIZE;
        const void *from = host_frame_ptr(arguments->pages[done / VM_PAGE_SIZE]);
        if (user_memcpy((void *)(to + done), from, size) != VM_OK)
            return -EFAULT;
    }
    return 0;
}

static char byte_at(const struct arguments *arguments, size_t position)
{
    const char *page = host_frame_ptr(arguments->pages[position / VM_PAGE_SIZE]);
    return page[position % VM_PAGE_SIZE];
}

/* Pointers to `count` strings from `position` on, and NULL. */
static void put_pointers(struct word_writer *writer, const struct arguments *arguments,
                         size_t position, unsigned count, addr_t strings)
{
    for (; count > 0; count--) {
        put_word(writer, strings + position);
        while (byte_at(arguments, position) != '\0')
            position++;
        position++;
    }
    put_word(writer, 0);
}

static uint64_t cpu_features(void)
{
    uint32_t a = 1, b, c, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return d;
}

static void put_auxiliary(struct word_writer *writer, const struct elf_program *program,
                          addr_t platform_at, addr_t random_at, addr_t path_at)
{
    put_pair(writer, AT_HWCAP, cpu_features());
    put_pair(writer, AT_PAGESZ, VM_PAGE_SIZE);
    put_pair(writer, AT_CLKTCK, 100);
    put_pair(writer, AT_PHDR, program->headers);
    put_pair(writer, AT_PHENT, sizeof(struct elf_segment));
    put_pair(writer, AT_PHNUM, program->header.program_header_count);
    put_pair(writer, AT_BASE, 0);
    put_pair(writer, AT_FLAGS, 0);
    put_pair(writer, AT_ENTRY, program->entry);
    put_pair(writer, AT_UID, 0);
    put_pair(writer, AT_EUID, 0);
    put_pair(writer, AT_GID, 0);
    put_pair(writer, AT_EGID, 0);
    put_pair(writer, AT_SECURE, 0);
    put_pair(writer, AT_RANDOM, random_at);
    put_pair(writer, AT_HWCAP2, 0);
    put_pair(writer, AT_EXECFN, path_at);
    put_pair(writer, AT_PLATFORM, platform_at);
    put_pair(writer, AT_NULL, 0);
}

static size_t table_size(const struct arguments *arguments)
{
    size_t words = 1 + (arguments->argument_count + 1ul) + (arguments->environment_count + 1ul) +
                   2ul * AUXILIARY_COUNT;
    return words * sizeof(uint64_t);
}

size_t arguments_size(const struct arguments *arguments)
{
    return arguments->used + table_size(arguments) + 128;
}

int arguments_put(const struct arguments *arguments, const struct elf_program *program, addr_t top,
                  struct user_memory *memory, addr_t *stack)
{
    uint64_t random[2] = {random_number(), random_number()};
    addr_t strings = top - sizeof(uint64_t) - arguments->used;
    addr_t platform_at = strings - sizeof(platform);
    addr_t random_at = (platform_at & ~15ul) - sizeof(random);
    *stack = (random_at - table_size(arguments)) & ~15ul;
    if (put_strings(arguments, strings) != 0 ||
        user_memcpy((void *)platform_at, platform, sizeof(platform)) != VM_OK ||
        user_memcpy((void *)random_at, random, sizeof(random)) != VM_OK)
        return -EFAULT;
    struct word_writer writer = {*stack, false};
    put_word(&writer, arguments->argument_count);
    put_pointers(&writer, arguments, 0, arguments->argument_count, strings);
    put_pointers(&writer, arguments, arguments->environment_start, arguments->environment_count,
                 strings);
    put_auxiliary(&writer, program, platform_at, random_at, strings + arguments->path_start);
    memory->arguments = strings;
    memory->arguments_end = strings + arguments->environment_start;
    memory->environment_end = strings + arguments->path_start;
    memory->stack_top = *stack;
    return writer.failed ? -EFAULT : 0;
}
