/* SPDX-License-Identifier: MIT */
/* random_calls SEED CHILDREN CALLS: each child makes that many system calls, any of them, with
 * arguments that are likely to be wrong in a way that matters. What they answer is not looked at:
 * the kernel must go on, every child must be killable, and no frame may be lost. */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_SIZE 65536ul
#define LAST_CALL 340u
#define FIRST_USER_VM_CALL 1000u
#define PATIENCE_MS 300
#define DEATH_MS 5000

static uint64_t state;
static uint8_t *buffer;

static uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t random_argument(void)
{
    static const uint64_t telling[] = {
        0,          1,          2,       3,    (uint64_t)-1,   (uint64_t)-4096,
        8,          16,         64,      100,  4096,           8192,
        0x10000,    0xfff,      0x22,    0x32, 0x7ffffffff000, 0x7fffffffe000,
        0x80000000, 0xffffffff, 1000000, 0x12, 0x800000000000, 0xffff800000000000,
        1ull << 63, 0x40000000, 11,      14,   ~(1ull << 63),  0xffffffff80200000,
    };
    switch (random_number() % 5) {
    case 0:
        return telling[random_number() % (sizeof(telling) / sizeof(*telling))];
    case 1:
        return (uintptr_t)buffer + random_number() % BUFFER_SIZE;
    case 2:
        return ((uintptr_t)buffer + random_number() % BUFFER_SIZE) & ~4095ul;
    case 3:
        return random_number() % 32;
    default:
        return random_number() >> (random_number() % 64);
    }
}

/* Those that would only end or stop the child. */
static bool is_pointless(long number)
{
    return number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn ||
           number == SYS_pause || number == SYS_reboot;
}

/* Signals go to the child itself: the others are still needed. */
static bool sends_signals(long number)
{
    return number == SYS_kill || number == SYS_tkill || number == SYS_tgkill ||
           number == SYS_rt_sigqueueinfo || number == SYS_rt_tgsigqueueinfo;
}

static void fill_buffer(void)
{
    buffer = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED)
        _exit(1);
    for (size_t i = 0; i < BUFFER_SIZE; i += sizeof(uint64_t)) {
        uint64_t value = random_argument();
        memcpy(buffer + i, &value, sizeof(value));
    }
    memcpy(buffer, "/tmp/file", sizeof("/tmp/file"));
    memcpy(buffer + 4096, "/dev/null", sizeof("/dev/null"));
}

static void make_calls(unsigned calls)
{
    pid_t self = getpid();
    for (unsigned i = 0; i < calls; i++) {
        long number = (long)(random_number() % LAST_CALL);
        if (random_number() % 40 == 0)
            number = (long)(FIRST_USER_VM_CALL + random_number() % 7);
        uint64_t first = sends_signals(number) ? (uint64_t)self : random_argument();
        if (is_pointless(number))
            continue;
        (void)syscall(number, first, random_argument(), random_argument(), random_argument(),
                      random_argument(), random_argument());
        if (getpid() != self)
            _exit(0); /* a fork's child */
    }
    _exit(0);
}

/* Whether the child has gone within `ms`. */
static bool wait_for(pid_t child, int ms)
{
    for (; ms > 0; ms -= 10) {
        if (waitpid(child, NULL, WNOHANG) == child)
            return true;
        usleep(10000);
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    uint64_t seed = strtoul(argv[1], NULL, 10);
    unsigned children = (unsigned)strtoul(argv[2], NULL, 10);
    for (unsigned i = 0; i < children; i++) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0) {
            setpgid(0, 0);
            state = (seed + 1) * 0x9e3779b97f4a7c15ull + i * 0xbf58476d1ce4e5b9ull;
            fill_buffer();
            make_calls((unsigned)strtoul(argv[3], NULL, 10));
        }
        if (wait_for(child, PATIENCE_MS))
            continue;
        kill(child, SIGKILL);
        if (!wait_for(child, DEATH_MS)) {
            printf("child %u can't be killed\n", i);
            return 1;
        }
    }
    printf("%u children\n", children);
    return 0;
}
