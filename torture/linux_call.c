/* SPDX-License-Identifier: MIT */
/* One step on Linux, in the process that is the operation's space. Allocates nothing. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#undef LOCK_RW /* flock's */
#include "linux_plan.h"

#define WINDOW_BYTES (WINDOW * VM_PAGE_SIZE)
#define UNKNOWN_PROTECTION 0x400
#define RED_ZONE 128 /* below the stack pointer, of the function that is interrupted */

/* What Linux has said. */
struct said {
    int error;      /* errno, or 0 */
    addr_t address; /* that the call returned */
};

static int file_to_write[FILES], file_to_read[FILES];

/* ---- faults ------------------------------------------------------------------------------------- */

static void *caught[5]; /* as __builtin_setjmp wants it */
static volatile sig_atomic_t catching;
static volatile int fault_result;
static volatile addr_t fault_address;

static int result_of(int number, int code)
{
    if (number == SIGSEGV && code == SEGV_MAPERR)
        return ERR_VM_PF_BAD_ADDRESS;
    if (number == SIGSEGV && code == SEGV_ACCERR)
        return ERR_VM_PF_BAD_PERM;
    return number == SIGBUS && code == BUS_ADRERR ? ERR_VM_PF_PAST_END : ERR_VM_PF_FATAL;
}

/* The built-in jump needs nothing of the C library's, which doesn't know that a fork's child has another
 * thread id: an address sanitizer asks for that before a longjmp. */
__attribute__((no_sanitize("address", "thread"))) _Noreturn static void jump(void)
{
    __builtin_longjmp(caught, 1);
}

/* It returns, to `jump`: a thread sanitizer's handler around this one must know that it has ended. */
static void catch_fault(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (!catching) { /* the step's own fault: it dies of the next one */
        (void)signal(number, SIG_DFL);
        return;
    }
    catching = 0;
    fault_result = result_of(number, info->si_code);
    fault_address = (addr_t)info->si_addr;
    registers[REG_RSP] = ((registers[REG_RSP] - RED_ZONE) & -16) - 8;
    registers[REG_RIP] = (greg_t)jump;
}

enum touch { TOUCH_READ, TOUCH_WRITE, TOUCH_EXECUTE };

static void touch_bytes(enum touch touch, addr_t at, uint8_t *bytes, size_t length, int byte)
{
    void *memory = (void *)at;
    if (touch == TOUCH_READ)
        memcpy(bytes, memory, length);
    else if (touch == TOUCH_WRITE)
        memset(memory, byte, length);
    else
        ((void (*)(void))at)();
}

/* Bytes of one page: VM_OK or the fault, which must be there. */
static int touch_page(enum touch touch, addr_t at, uint8_t *bytes, size_t length, int byte)
{
    if (__builtin_setjmp(caught) != 0)
        return fault_address >= at && fault_address < at + length ? fault_result : ERR_VM_PF_FATAL;
    catching = 1;
    atomic_signal_fence(memory_order_seq_cst);
    touch_bytes(touch, at, bytes, length, byte);
    atomic_signal_fence(memory_order_seq_cst);
    catching = 0;
    return VM_OK;
}

/* Page by page, as the model does it; *done is how much of it went. */
static int touch_range(enum touch touch, const struct operation *o, uint8_t *bytes, size_t *done)
{
    addr_t at = SPACE_BASE + (addr_t)o->argument[0] * VM_PAGE_SIZE + (addr_t)o->argument[1];
    size_t length = (size_t)o->argument[2];
    int result = VM_OK;
    for (*done = 0; *done < length && result == VM_OK;) {
        size_t now = VM_PAGE_SIZE - (at + *done) % VM_PAGE_SIZE;
        now = now < length - *done ? now : length - *done;
        result = touch_page(touch, at + *done, bytes + *done, now, o->argument[3]);
        *done += result == VM_OK ? now : 0;
    }
    return result;
}

/* ---- starting ----------------------------------------------------------------------------------- */

const char *linux_call_start(void)
{
    static uint8_t stack[64 << 10];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_sigaction = catch_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    void *window = mmap((void *)SPACE_BASE, WINDOW_BYTES, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (window != (void *)SPACE_BASE)
        return "something of this process is where the window should be";
    (void)munmap(window, WINDOW_BYTES);
    if (sigaltstack(&alternate, NULL) != 0 || sigaction(SIGSEGV, &action, NULL) != 0 ||
        sigaction(SIGBUS, &action, NULL) != 0)
        return "faults can't be caught";
    return NULL;
}

bool linux_call_open_files(void)
{
    char path[64];
    bool opened = true;
    for (unsigned i = 0; i < FILES; i++) {
        file_to_write[i] = memfd_create("trace", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file_to_write[i]);
        file_to_read[i] = open(path, O_RDONLY | O_CLOEXEC);
        opened = opened && file_to_write[i] >= 0 && file_to_read[i] >= 0;
    }
    return opened;
}

/* ---- calls -------------------------------------------------------------------------------------- */

static struct said say(bool worked)
{
    return (struct said){.error = worked ? 0 : errno};
}

static struct said say_address(const void *address)
{
    if (address == MAP_FAILED)
        return (struct said){.error = errno};
    return (struct said){.address = (addr_t)address};
}

static int protection_of(unsigned lock)
{
    if (lock & LOCK_NO_READ)
        return PROT_NONE;
    return PROT_READ | (lock & LOCK_RW ? PROT_WRITE : 0) | (lock & LOCK_EXECUTE ? PROT_EXEC : 0);
}

static int flags_of(int addr_type, unsigned lock)
{
    int flags = lock & REGION_OVERCOMMIT ? MAP_NORESERVE : 0;
    if (lock & REGION_GROWS_DOWN)
        flags |= MAP_GROWSDOWN;
    if (addr_type == REGION_ADDR_REPLACE)
        return flags | MAP_FIXED;
    return addr_type == REGION_ADDR_EXACT_ADDRESS ? flags | MAP_FIXED_NOREPLACE : flags;
}

static struct said create(const struct operation *o)
{
    unsigned lock = (unsigned)o->argument[3];
    int kind = MAP_ANONYMOUS | (lock & REGION_SHARED ? MAP_SHARED : MAP_PRIVATE);
    return say_address(mmap((void *)operation_address(o), operation_size(o), protection_of(lock),
                            kind | flags_of(o->argument[2], lock), -1, 0));
}

static struct said map_file(const struct operation *o)
{
    unsigned lock = (unsigned)o->argument[3];
    const int *files = lock & REGION_NO_WRITE ? file_to_read : file_to_write;
    int kind = o->argument[4] ? MAP_PRIVATE : MAP_SHARED;
    return say_address(mmap((void *)operation_address(o), operation_size(o), protection_of(lock),
                            kind | flags_of(o->argument[2], lock), files[o->argument[5]],
                            (off_t)((addr_t)o->argument[6] * VM_PAGE_SIZE)));
}

static struct said protect(const struct operation *o)
{
    int protection = protection_of((unsigned)o->argument[2]);
    if (o->twist == TWIST_BAD_BITS)
        protection |= UNKNOWN_PROTECTION;
    return say(mprotect((void *)operation_address(o), operation_size(o), protection) == 0);
}

/* The pages one by one, for Linux may have several areas where the core has one region; the last grows. */
static struct said move_each(addr_t from, size_t pages, addr_t to, size_t new_pages)
{
    size_t kept = pages < new_pages ? pages : new_pages;
    (void)munmap((void *)to, new_pages * VM_PAGE_SIZE);
    for (size_t i = 0; i < kept; i++) {
        size_t size = (i + 1 < kept ? 1 : new_pages - i) * VM_PAGE_SIZE;
        void *moved = mremap((void *)(from + i * VM_PAGE_SIZE), VM_PAGE_SIZE, size,
                             MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(to + i * VM_PAGE_SIZE));
        if (moved == MAP_FAILED)
            return say_address(moved);
    }
    (void)munmap((void *)(from + kept * VM_PAGE_SIZE), (pages - kept) * VM_PAGE_SIZE);
    return (struct said){.address = to};
}

static struct said move(const struct operation *o, int expected)
{
    addr_t from = operation_address(o), to = SPACE_BASE + (addr_t)o->argument[3] * VM_PAGE_SIZE;
    struct said said =
        say_address(mremap((void *)from, operation_size(o), (size_t)o->argument[4] * VM_PAGE_SIZE,
                           MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to));
    if (said.error == EFAULT && expected == VM_OK)
        return move_each(from, (size_t)o->argument[1], to, (size_t)o->argument[4]);
    return said;
}

/* Where Linux has several areas, its last page does what the region should. */
static struct said resize(const struct linux_step *step)
{
    addr_t size = operation_size(&step->operation), end = step->base + step->size;
    struct said said = say_address(mremap((void *)step->base, step->size, size, 0));
    if (said.error != EFAULT || step->result == ERR_VM_INVALID_REGION)
        return said;
    size = (size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    if (size <= step->size)
        return say(munmap((void *)(step->base + size), step->size - size) == 0);
    return say(mremap((void *)(end - VM_PAGE_SIZE), VM_PAGE_SIZE, size - step->size + VM_PAGE_SIZE,
                      0) != MAP_FAILED);
}

static struct said inherit(const struct operation *o)
{
    int advice = o->argument[2] == VM_INHERIT_NONE ? MADV_DONTFORK : MADV_DOFORK;
    return say(madvise((void *)operation_address(o), operation_size(o), advice) == 0);
}

static struct said call_for_range(const struct linux_step *step)
{
    const struct operation *o = &step->operation;
    void *address = (void *)operation_address(o);
    size_t size = operation_size(o);
    switch (o->kind) {
    case OPERATION_UNMAP:
        return say(syscall(SYS_munmap, address, size) == 0); /* libc's would be the sanitizer's */
    case OPERATION_PROTECT:
        return protect(o);
    case OPERATION_DISCARD:
        return say(madvise(address, size, MADV_DONTNEED) == 0);
    case OPERATION_SYNC:
        return say(msync(address, size, MS_SYNC) == 0);
    case OPERATION_INHERIT:
        return inherit(o);
    case OPERATION_MOVE:
        return move(o, step->result);
    default:
        return (struct said){.error = ENOSYS};
    }
}

static struct said call(const struct linux_step *step)
{
    const struct operation *o = &step->operation;
    switch (o->kind) {
    case OPERATION_CREATE:
        return create(o);
    case OPERATION_MAP_FILE:
        return map_file(o);
    case OPERATION_DELETE_REGION:
        return say(munmap((void *)step->base, step->size) == 0);
    case OPERATION_RESIZE:
        return resize(step);
    case OPERATION_NEW_SPACE:
        return say(munmap((void *)SPACE_BASE, WINDOW_BYTES) == 0);
    case OPERATION_TRUNCATE:
        return say(ftruncate(file_to_write[o->argument[0]], o->argument[1]) == 0);
    default:
        return call_for_range(step);
    }
}

/* ---- comparing ---------------------------------------------------------------------------------- */

/* The errno that the model's result stands for; -1: none is known. */
static int errno_of_new_region(const struct operation *o, int result)
{
    switch (result) {
    case ERR_VM_BAD_ADDRESS:
        return o->twist == TWIST_HUGE ? ENOMEM : EINVAL;
    case ERR_VM_NO_REGION_SLOT:
        return EEXIST;
    case ERR_PERMISSION_DENIED:
        return EACCES;
    default:
        return -1;
    }
}

static int errno_of_range(const struct operation *o, int result)
{
    switch (result) {
    case ERR_VM_BAD_ADDRESS:
        return o->twist == TWIST_HUGE && o->kind == OPERATION_PROTECT ? ENOMEM : EINVAL;
    case ERR_VM_PAGE_NOT_PRESENT:
        return o->kind == OPERATION_MOVE ? EFAULT : ENOMEM;
    case ERR_VM_INVALID_REGION:
        return EFAULT;
    case ERR_VM_NO_REGION_SLOT:
        return ENOMEM;
    case ERR_PERMISSION_DENIED:
        return EACCES;
    default:
        return -1;
    }
}

static int errno_of(const struct operation *o, int result)
{
    if (result == VM_OK)
        return 0;
    if (result == ERR_INVALID_ARGS)
        return EINVAL;
    return o->kind <= OPERATION_CLONE ? errno_of_new_region(o, result) : errno_of_range(o, result);
}

static bool differ_in_result(const struct operation *o, int error, int result, char *text,
                             size_t size)
{
    snprintf(text, size, "%s: Linux says %d (%s), the model %d (%s)", operation_name(o->kind),
             error, error == 0 ? "success" : strerror(error), result, vm_error_text(result));
    return false;
}

static bool same_bytes(const char *what, const uint8_t *linux_bytes, const uint8_t *expected,
                       size_t length, char *text, size_t size)
{
    if (length == 0 || memcmp(linux_bytes, expected, length) == 0)
        return true;
    size_t i = 0;
    while (linux_bytes[i] == expected[i])
        i++;
    snprintf(text, size, "%s: Linux has %#x in byte %zu, the model %#x", what, linux_bytes[i], i,
             expected[i]);
    return false;
}

static bool compare_call(const struct linux_step *step, char *text, size_t size)
{
    const struct operation *o = &step->operation;
    struct said said = call(step);
    if (said.error != errno_of(o, step->result))
        return differ_in_result(o, said.error, step->result, text, size);
    addr_t to = o->kind == OPERATION_MOVE ? SPACE_BASE + (addr_t)o->argument[3] * VM_PAGE_SIZE
                                          : operation_address(o);
    bool has_address = o->kind <= OPERATION_CLONE || o->kind == OPERATION_MOVE;
    if (said.error != 0 || !has_address || said.address == to)
        return true;
    snprintf(text, size, "%s: Linux says %#lx, the model %#lx", operation_name(o->kind),
             (unsigned long)said.address, (unsigned long)to);
    return false;
}

static bool compare_access(const struct linux_step *step, char *text, size_t size)
{
    static uint8_t bytes[ANSWER_BYTES];
    const struct operation *o = &step->operation;
    const char *name = operation_name(o->kind);
    enum touch touch = o->kind == OPERATION_READ    ? TOUCH_READ
                       : o->kind == OPERATION_WRITE ? TOUCH_WRITE
                                                    : TOUCH_EXECUTE;
    size_t done;
    int result = touch_range(touch, o, bytes, &done);
    if (result != step->result || (touch == TOUCH_READ && done != step->length)) {
        snprintf(text, size,
                 "%s: Linux says %d (%s) after %zu bytes at %#lx, the model %d (%s) after %zu",
                 name, result, vm_error_text(result), done, (unsigned long)fault_address,
                 step->result, vm_error_text(step->result), step->length);
        return false;
    }
    return touch != TOUCH_READ || same_bytes(name, bytes, step->bytes, step->length, text, size);
}

static bool compare_file_access(const struct linux_step *step, char *text, size_t size)
{
    static uint8_t bytes[ANSWER_BYTES];
    const struct operation *o = &step->operation;
    bool write = o->kind == OPERATION_FILE_WRITE;
    size_t length = write ? step->size : (size_t)o->argument[2];
    int file = file_to_write[o->argument[0]];
    ssize_t done;
    if (write)
        memset(bytes, o->argument[3], length);
    done = write ? pwrite(file, bytes, length, o->argument[1])
                 : pread(file, bytes, length, o->argument[1]);
    if (done != (ssize_t)(write ? length : step->length)) {
        snprintf(text, size, "%s: Linux does %zd bytes, the model %zu", operation_name(o->kind),
                 done, write ? length : step->length);
        return false;
    }
    return write || same_bytes("file-read", bytes, step->bytes, step->length, text, size);
}

/* ---- comparing everything ----------------------------------------------------------------------- */

/* A hole is asked for: an access could make a stack grow. */
static bool compare_page(unsigned page, const struct linux_page *expected, char *text, size_t size)
{
    static uint8_t bytes[VM_PAGE_SIZE];
    static const uint8_t zeros[VM_PAGE_SIZE];
    char what[32];
    addr_t address = SPACE_BASE + page * VM_PAGE_SIZE;
    int result = mincore((void *)address, VM_PAGE_SIZE, bytes) == 0
                     ? touch_page(TOUCH_READ, address, bytes, VM_PAGE_SIZE, 0)
                     : ERR_VM_PF_BAD_ADDRESS;
    if (result != expected->result) {
        snprintf(text, size, "page %u: Linux says %d (%s), the model %d (%s)", page, result,
                 vm_error_text(result), expected->result, vm_error_text(expected->result));
        return false;
    }
    snprintf(what, sizeof(what), "page %u", page);
    return result != VM_OK ||
           same_bytes(what, bytes, expected->bytes != NULL ? expected->bytes : zeros, VM_PAGE_SIZE,
                      text, size);
}

static bool compare_window(const struct linux_step *step, char *text, size_t size)
{
    for (unsigned page = 0; page < WINDOW; page++)
        if (!compare_page(page, &step->page[page], text, size))
            return false;
    return true;
}

static bool compare_file(const struct linux_step *step, char *text, size_t size)
{
    static uint8_t bytes[FILE_PAGES * 4096];
    char what[32];
    struct stat status;
    int file = step->operation.argument[0];
    snprintf(what, sizeof(what), "file %d", file);
    if (fstat(file_to_write[file], &status) != 0 || status.st_size != (off_t)step->length ||
        pread(file_to_write[file], bytes, sizeof(bytes), 0) != (ssize_t)step->length) {
        snprintf(text, size, "%s: Linux has %lld bytes, the model %zu", what,
                 (long long)status.st_size, step->length);
        return false;
    }
    return same_bytes(what, bytes, step->bytes, step->length, text, size);
}

bool linux_call(const struct linux_step *step, char *text, size_t size)
{
    if (step->kind == STEP_WINDOW)
        return compare_window(step, text, size);
    if (step->kind == STEP_FILE)
        return compare_file(step, text, size);
    switch (step->operation.kind) {
    case OPERATION_READ:
    case OPERATION_WRITE:
    case OPERATION_EXECUTE:
        return compare_access(step, text, size);
    case OPERATION_FILE_READ:
    case OPERATION_FILE_WRITE:
        return compare_file_access(step, text, size);
    default:
        return compare_call(step, text, size);
    }
}
