/* SPDX-License-Identifier: MIT */
/* System calls that use regions, and children that have none. */
#include "perform.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"

#define MOST_BYTES (64 * PAGE)

/* A file in memory, and its bytes. */
static struct {
    int fd;
    unsigned char *bytes;
} file;

static void open_file(void)
{
    if (file.bytes != NULL)
        return;
    file.fd = memfd_create("file", MFD_CLOEXEC);
    if (file.fd < 0 || ftruncate(file.fd, MOST_BYTES) != 0)
        violation("no file in memory");
    file.bytes = mmap(NULL, MOST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
    if (file.bytes == MAP_FAILED)
        violation("no file in memory");
}

/* The part of a region that is given to Linux. */
struct part {
    struct region *region;
    size_t from, size;
};

static struct part part_of(const struct call *call)
{
    struct part part = {.region = world_choose(call->argument[0])};
    if (part.region == NULL)
        return part;
    part.from = call->argument[1] % part.region->pages * PAGE + call->argument[3] % PAGE;
    size_t left = part.region->pages * PAGE - part.from;
    size_t most = left < MOST_BYTES ? left : MOST_BYTES;
    part.size = 1 + (call->argument[2] * PAGE + call->argument[3]) % most;
    return part;
}

/* The bytes up to the first page that isn't so. */
static size_t bytes_before(const struct part *part, bool (*is_so)(const struct region *, size_t))
{
    size_t end = part->from + part->size, at = part->from;
    while (at < end && is_so(part->region, at / PAGE))
        at = (at / PAGE + 1) * PAGE;
    return at <= part->from ? 0 : (at < end ? at : end) - part->from;
}

static bool is_pinned(const struct region *region, size_t page)
{
    return region->page[page] & PAGE_PINNED;
}

/* Linux has done as much as it must have, and no more than it may. */
static void look_at_count(const char *what, const struct part *part, ssize_t done, bool writes)
{
    bool always = part->region->mode == QUIRE_MODE_HANDLER && !world.ever_failing;
    size_t most = bytes_before(part, writes ? page_is_writable : page_is_readable);
    size_t least = always ? most : writes ? 0 : bytes_before(part, is_pinned);
    outcome->system_calls++;
    if (done < 0 && errno != EFAULT)
        violation("%s of a region: %s", what, strerror(errno));
    if (done > (ssize_t)most ||
        (done < (ssize_t)least && done <= 0 ? least > 0 : done < (ssize_t)least))
        violation("%s of %zu bytes at %p: %zd, of %zu to %zu (%s)", what, part->size,
                  (void *)(part->region->at + part->from), done, least, most, strerror(errno));
}

static void has_got(const struct part *part, size_t count)
{
    struct region *region = part->region;
    for (size_t done = 0, size; done < count; done += size) {
        size_t at = part->from + done, left = PAGE - at % PAGE;
        size = count - done < left ? count - done : left;
        memcpy(region->bytes + at, file.bytes + done, size);
        access_has_written(region, at / PAGE, at % PAGE, size);
    }
    size_t last = part->from + (count < part->size ? count : part->size - 1);
    region->page[last / PAGE] |= PAGE_TOUCHED;
}

static void read_into(const struct call *call)
{
    struct part part = part_of(call);
    uint64_t seed = call->argument[3];
    if (part.region == NULL)
        return;
    for (size_t i = 0; i < part.size; i += PAGE)
        memset(file.bytes + i, (int)call_random(&seed), PAGE);
    ssize_t got = pread(file.fd, part.region->at + part.from, part.size, 0);
    look_at_count("a read", &part, got, true);
    has_got(&part, got > 0 ? (size_t)got : 0);
}

static bool may_be_zero(const struct part *part)
{
    for (size_t at = part->from; at < part->from + part->size; at = (at / PAGE + 1) * PAGE)
        if (part->region->page[at / PAGE] & PAGE_MAY_BE_ZERO)
            return true;
    return false;
}

static void look_at_bytes(const char *what, const struct part *part, const unsigned char *seen,
                          ssize_t count)
{
    if (count > 0 && memcmp(seen, part->region->bytes + part->from, (size_t)count) != 0)
        violation("%s of %zd bytes at %p gives others", what, count,
                  (void *)(part->region->at + part->from));
}

static void write_from(const struct call *call)
{
    struct part part = part_of(call);
    if (part.region == NULL || may_be_zero(&part))
        return;
    memset(file.bytes, 0x5a, part.size);
    ssize_t got = pwrite(file.fd, part.region->at + part.from, part.size, 0);
    look_at_count("a write", &part, got, false);
    look_at_bytes("a write", &part, file.bytes, got);
}

static void peek(const struct call *call)
{
    static unsigned char seen[MOST_BYTES];
    struct part part = part_of(call);
    if (part.region == NULL || may_be_zero(&part))
        return;
    struct iovec to = {seen, part.size}, from = {part.region->at + part.from, part.size};
    ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
    look_at_count("process_vm_readv", &part, got, false);
    look_at_bytes("process_vm_readv", &part, seen, got);
}

/* ---- children ----------------------------------------------------------------------------------- */

static int status_of(pid_t child)
{
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        violation("there is no child to be had");
    return status;
}

static void use_region(const struct region *region)
{
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    (void)*(volatile unsigned char *)region->at;
    _exit(0);
}

static void call_quire(const struct region *region)
{
    struct quire_info info;
    bool refused = quire_unmap(region->at) == ERR_UNSUPPORTED &&
                   quire_populate(region->at, 1, false) == ERR_UNSUPPORTED &&
                   quire_get_info(&info) == ERR_UNSUPPORTED && quire_stop() == ERR_UNSUPPORTED;
    _exit(refused ? 0 : 1);
}

static void have_children(const struct call *call)
{
    const struct region *region = world_choose(call->argument[0]);
    if (region == NULL)
        return;
    pid_t child = fork();
    if (child == 0)
        use_region(region);
    int status = status_of(child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
        violation("a child that uses a region ends with status %#x", (unsigned)status);
    child = fork();
    if (child == 0)
        call_quire(region);
    if ((status = status_of(child)) != 0)
        violation("a child that calls Quire ends with status %#x", (unsigned)status);
}

void perform_system_call(const struct call *call)
{
    open_file();
    switch (call->kind) {
    case CALL_SYSTEM_READ:
        read_into(call);
        break;
    case CALL_SYSTEM_WRITE:
        write_from(call);
        break;
    case CALL_PEEK:
        peek(call);
        break;
    default:
        have_children(call);
    }
}
