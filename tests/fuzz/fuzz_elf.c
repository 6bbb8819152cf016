/* SPDX-License-Identifier: MIT */
/* Execve: script lines, ELF headers and segments, arguments. The first bytes are choices, the rest is the
 * file /p, with a long text behind it where that is chosen. A program that is loaded must show what its
 * segments say, and nothing may be left over. */
#include <asm/prctl.h>
#include <string.h>
#include <sys/syscall.h>

#include "elf_core.h"
#include "elf_kernel.h"
#include "fuzz.h"
#include "process/elf.h"
#include "process/exec.h"
#include "process/tree.h"
#include "thread/scheduler.h"

/* <stdlib.h> and <unistd.h> can't be had together with the kernel's headers. */
long syscall(long number, ...);
void *malloc(size_t size);
void free(void *memory);

#define CHOICES 8
#define TEXT_SIZE 20000
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static char *arguments[] = {"first", "", "third argument", "4", NULL};
static const char *environment[] = {"PATH=/", "HOME=/", "X=", NULL};

/* The one program that is always good: two segments and some bytes. */
static struct {
    struct elf_header header;
    struct elf_segment segments[2];
    uint8_t bytes[500];
} good;

static void make_good(void)
{
    static const uint8_t ident[16] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    good.header = (struct elf_header){.type = 2,
                                      .machine = 62,
                                      .entry = 0x400100,
                                      .program_headers = sizeof(good.header),
                                      .program_header_size = sizeof(struct elf_segment),
                                      .program_header_count = COUNT_OF(good.segments)};
    memcpy(good.header.ident, ident, sizeof(ident));
    good.segments[0] = (struct elf_segment){1, 5, 0, 0x400000, 0, 300, 300, 4096};
    good.segments[1] = (struct elf_segment){1, 6, 300, 0x40112c, 0, 376, 9000, 4096};
    memset(good.bytes, 'g', sizeof(good.bytes));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    /* The kernel finds its CPU, and so its thread, through GS, which no other code here uses. */
    EXPECT(syscall(SYS_arch_prctl, ARCH_SET_GS, &kernel_cpu) == 0);
    make_good();
    return 0;
}

/* ---- what a loaded program must look like -------------------------------------------------------- */

static addr_t page_down(addr_t address)
{
    return address & ~VM_PAGE_MASK;
}

static addr_t page_up(addr_t address)
{
    return page_down(address + VM_PAGE_MASK);
}

/* The program as its file has it; the loader must have looked at everything. */
struct program {
    const struct core_file *file;
    struct elf_header header;
    struct elf_segment segments[ELF_MAX_SEGMENTS];
    unsigned count; /* of those that are loaded */
    addr_t bias;
};

static void read_program(struct program *program, const struct core_file *file, addr_t entry)
{
    const struct elf_header *header = &program->header;
    program->file = file;
    program->count = 0;
    EXPECT(file->size >= sizeof(*header));
    memcpy(&program->header, file->bytes, sizeof(*header));
    EXPECT(memcmp(header->ident, "\177ELF\2\1\1", 7) == 0 && header->machine == 62);
    EXPECT(header->program_header_count <= ELF_MAX_SEGMENTS);
    EXPECT(header->program_headers <= file->size - header->program_header_count * 56ul);
    for (unsigned i = 0; i < header->program_header_count; i++) {
        struct elf_segment *segment = &program->segments[program->count];
        memcpy(segment, file->bytes + header->program_headers + i * sizeof(*segment),
               sizeof(*segment));
        program->count += segment->type == 1 && segment->memory_size != 0;
    }
    EXPECT(program->count > 0 && (header->type == 2 || header->type == 3));
    program->bias = entry - header->entry;
    EXPECT(program->bias % VM_PAGE_SIZE == 0 && (header->type == 3 || program->bias == 0));
}

/* The last segment that has the page; NULL: none. */
static const struct elf_segment *segment_at(const struct program *program, addr_t address)
{
    for (unsigned i = program->count; i-- > 0;) {
        const struct elf_segment *segment = &program->segments[i];
        if (address >= page_down(segment->address) &&
            address < page_up(segment->address + segment->memory_size))
            return segment;
    }
    return NULL;
}

static bool is_cleared(const struct program *program, addr_t address)
{
    for (unsigned i = 0; i < program->count; i++) {
        const struct elf_segment *segment = &program->segments[i];
        addr_t end = segment->address + segment->file_size;
        if ((segment->flags & 2) != 0 && segment->file_size != 0 &&
            segment->file_size != segment->memory_size && address >= end && address < page_up(end))
            return true;
    }
    return false;
}

static uint8_t expected_byte(const struct program *program, const struct elf_segment *segment,
                             addr_t address)
{
    addr_t file_end = page_up(segment->address + segment->file_size);
    if (segment->file_size == 0 || address >= file_end || is_cleared(program, address))
        return 0;
    uint64_t at = page_down(segment->offset) + (address - page_down(segment->address));
    return at < program->file->size ? program->file->bytes[at] : 0;
}

static void check_byte(const struct program *program, addr_t address)
{
    const struct elf_segment *segment = segment_at(program, address);
    uint8_t byte;
    unsigned lock;
    if (segment == NULL)
        return;
    EXPECT(core_read(address + program->bias, &byte, &lock));
    EXPECT(byte == expected_byte(program, segment, address));
    EXPECT(((lock & LOCK_RW) != 0) == ((segment->flags & 2) != 0));
    EXPECT(((lock & LOCK_EXECUTE) != 0) == ((segment->flags & 1) != 0));
    EXPECT((lock == LOCK_NO_READ) == ((segment->flags & 7) == 0));
}

/* At the edges of every segment. */
static void check_segments(const struct program *program)
{
    for (unsigned i = 0; i < program->count; i++) {
        const struct elf_segment *segment = &program->segments[i];
        addr_t start = segment->address, file_end = start + segment->file_size;
        addr_t end = start + segment->memory_size;
        const addr_t places[] = {page_down(start),  start,   file_end - 1,    file_end,
                                 page_up(file_end), end - 1, page_up(end) - 1};
        EXPECT(start <= USER_TOP && segment->memory_size <= USER_TOP - start);
        for (unsigned k = 0; k < COUNT_OF(places); k++)
            check_byte(program, places[k]);
    }
}

static uint64_t word_at(addr_t address)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < sizeof(word); i++) {
        uint8_t byte;
        unsigned lock;
        EXPECT(core_read(address + i, &byte, &lock));
        word |= (uint64_t)byte << 8 * i;
    }
    return word;
}

/* The length of a string on the stack, which must end; compared with `text` unless that is NULL. */
static size_t check_string(addr_t address, const char *text)
{
    for (size_t i = 0;; i++) {
        uint8_t byte;
        unsigned lock;
        EXPECT(core_read(address + i, &byte, &lock));
        EXPECT(text == NULL || byte == (uint8_t)text[i]);
        if (byte == 0)
            return i;
    }
}

/* argc, argv, envp, and that the auxiliary vector ends. `own`: the strings are this file's. */
static void check_stack(const struct trap_frame *frame, bool own)
{
    addr_t at = frame->rsp;
    uint64_t count = word_at(at);
    EXPECT(at % 16 == 0 && count >= 1);
    at += 8;
    for (uint64_t i = 0; i < count; i++, at += 8)
        (void)check_string(word_at(at), own && i < 4 && count == 4 ? arguments[i] : NULL);
    EXPECT(word_at(at) == 0);
    at += 8;
    for (unsigned i = 0; word_at(at) != 0; i++, at += 8)
        (void)check_string(word_at(at), own ? environment[i] : NULL);
    at += 8;
    while (word_at(at) != 0) {
        EXPECT(word_at(at) != 9 || word_at(at + 8) == frame->rip);
        at += 16;
    }
}

/* ---- running ------------------------------------------------------------------------------------ */

static bool is_exec_error(int64_t error)
{
    return error == -ENOENT || error == -ENOEXEC || error == -ENOMEM || error == -ELOOP ||
           error == -E2BIG || error == -EFAULT || error == -EIO;
}

/* After every try: the process has one memory and one executable, or what it had. */
static void check_process(void)
{
    bool runs = kernel_process.memory != NULL;
    unsigned references = 0;
    for (unsigned i = 0; i < KERNEL_FILES; i++)
        references += kernel_files[i].references;
    EXPECT(core_use.frames == 0 && core_use.spaces == runs && references == runs);
    EXPECT(core_use.metadata == (runs ? sizeof(struct user_memory) : 0));
    EXPECT(thread_current()->memory == kernel_process.memory);
    EXPECT((kernel_process.executable != NULL) == runs);
    EXPECT(process_lock.held == 0);
}

static void check_loaded(const struct trap_frame *frame, bool own)
{
    static struct program program;
    EXPECT(frame->rip < USER_TOP && frame_is_user(frame));
    read_program(&program, kernel_process.executable, frame->rip);
    check_segments(&program);
    check_stack(frame, own);
}

/* Where a program's argv or envp may lie. */
static addr_t choose_array(struct input *input, const struct trap_frame *frame)
{
    const addr_t places[] = {0,           frame->rsp + 8,  frame->rsp,
                             frame->rip,  USER_TOP,        USER_BASE,
                             UINTPTR_MAX, (addr_t)1 << 63, kernel_process.memory->arguments};
    unsigned how = input_byte(input);
    int offset = (int8_t)input_byte(input);
    addr_t place = places[how % COUNT_OF(places)];
    return how < 128 ? place : place + (addr_t)offset;
}

static void run(struct trap_frame *frame, const char *path, bool first, struct input *input)
{
    addr_t argv = 0, envp = 0;
    int64_t result;
    core_leave_kernel();
    if (first) {
        result = exec_first(frame, path, arguments, environment);
    } else {
        argv = choose_array(input, frame);
        envp = choose_array(input, frame);
        result = process_exec(frame, path, argv, envp);
    }
    EXPECT(result == 0 || is_exec_error(result));
    check_process();
    if (result == 0)
        check_loaded(frame, first);
}

static void end_process(void)
{
    if (kernel_process.memory != NULL)
        user_memory_put(kernel_process.memory);
    if (kernel_process.executable != NULL)
        host_vnode_release(kernel_process.executable);
    kernel_process.memory = NULL;
    kernel_process.executable = NULL;
    thread_use_memory(NULL);
    check_process();
}

/* In memory of exactly their size, so that a byte read behind it is noticed. */
static void make_files(const uint8_t *data, size_t size, bool with_text)
{
    size_t whole = size + (with_text ? TEXT_SIZE : 0);
    uint8_t *bytes = malloc(whole > 0 ? whole : 1);
    EXPECT(bytes != NULL);
    memcpy(bytes, data, size);
    memset(bytes + size, 't', whole - size);
    kernel_files[FILE_FUZZED] = (struct core_file){bytes, whole, 0};
    kernel_files[FILE_GOOD] = (struct core_file){(const uint8_t *)&good, sizeof(good), 0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t choices[CHOICES];
    size_t count = size < CHOICES ? size : CHOICES;
    memset(choices, 0, sizeof(choices));
    memcpy(choices, data, count);
    struct input input = {choices, CHOICES};
    unsigned how = input_byte(&input);
    bool fuzzed_first = how % 2 == 0;
    make_files(data + count, size - count, how >= 128);
    core_use.allocations_left = (long)input_number(&input, 2) - 1;
    struct trap_frame frame = {0};
    run(&frame, fuzzed_first ? "/p" : "/good", true, &input);
    if (kernel_process.memory != NULL)
        run(&frame, fuzzed_first ? "/good" : "/p", false, &input);
    end_process();
    free((void *)(uintptr_t)kernel_files[FILE_FUZZED].bytes);
    return 0;
}

/* ---- changes that keep a program one ------------------------------------------------------------- */

static uint64_t choose_value(unsigned *state, size_t size)
{
    const uint64_t values[] = {0,        1,          2,
                               3,        56,         64,
                               size,     0x1000,     0x2000,
                               0x10000,  0x400000,   0x401000,
                               USER_TOP, UINT64_MAX, (uint64_t)1 << 63,
                               1u << 31, 1ul << 32,  0x555555554000,
                               0x3ffffff};
    uint64_t value = values[random_next(state, COUNT_OF(values))];
    return value + random_next(state, 5) - 2 * (random_next(state, 3) == 0);
}

static void put(uint8_t *to, uint64_t value, unsigned size)
{
    memcpy(to, &value, size);
}

/* A header for whatever there is, where the file has none. */
static void make_header(uint8_t *file, size_t size, unsigned *state)
{
    struct elf_header header = good.header;
    size_t room = (size - sizeof(header)) / sizeof(struct elf_segment);
    header.type = (uint16_t)(2 + random_next(state, 2));
    header.program_header_count = (uint16_t)(1 + random_next(state, room < 4 ? 2 : 5));
    memcpy(file, &header, sizeof(header));
}

static void change_segment(uint8_t *file, size_t size, unsigned *state)
{
    size_t room = (size - sizeof(struct elf_header)) / sizeof(struct elf_segment);
    size_t at = sizeof(struct elf_header) +
                random_next(state, room < 6 ? (unsigned)room : 6u) * sizeof(struct elf_segment);
    struct elf_segment segment;
    memcpy(&segment, file + at, sizeof(segment));
    uint64_t *const fields[] = {&segment.offset, &segment.address, &segment.file_size,
                                &segment.memory_size};
    uint64_t value = choose_value(state, size);
    *fields[random_next(state, COUNT_OF(fields))] = value;
    segment.type = random_next(state, 8) == 0 ? (uint32_t)random_next(state, 5) : 1;
    segment.flags = (uint32_t)random_next(state, 8);
    if (random_next(state, 4) != 0)
        segment.address = page_down(segment.address) + (segment.offset & VM_PAGE_MASK);
    if (random_next(state, 4) != 0 && segment.memory_size < segment.file_size)
        segment.memory_size = segment.file_size + random_next(state, 5000);
    memcpy(file + at, &segment, sizeof(segment));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    unsigned state = seed, how = random_next(&state, 8);
    if (size < CHOICES + sizeof(struct elf_header) + sizeof(struct elf_segment) || how < 3)
        return LLVMFuzzerMutate(data, size, room);
    uint8_t *file = data + CHOICES;
    size_t file_size = size - CHOICES;
    if (memcmp(file, good.header.ident, 7) != 0)
        make_header(file, file_size, &state);
    if (how < 7)
        change_segment(file, file_size, &state);
    else
        put(file + 16 + random_next(&state, 40), choose_value(&state, file_size),
            1u << random_next(&state, 4));
    return size;
}
