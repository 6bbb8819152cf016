/* SPDX-License-Identifier: MIT */
/* What a fault costs, by trying it. */
#include "doctor.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../host/linux/uapi.h"

#define PAGE ((size_t)4096)
#define PAGES ((size_t)1000)
#define ROUNDS 5

static int uffd;
static unsigned char source[4096] __attribute__((aligned(4096)));

static void copy_in(uintptr_t address)
{
    struct qu_copy copy = {address & ~(PAGE - 1), (uint64_t)(uintptr_t)source, PAGE, 0, 0};
    (void)ioctl(uffd, QU_IOC_COPY, &copy);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    copy_in((uintptr_t)info->si_addr);
}

static void *answer(void *unused)
{
    struct pollfd wait = {uffd, POLLIN, 0};
    struct qu_message message;
    (void)unused;
    while (poll(&wait, 1, -1) >= 0)
        if (read(uffd, &message, sizeof message) == (ssize_t)sizeof message)
            copy_in((uintptr_t)message.address);
    return NULL;
}

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* For each page of fresh memory, which `uffd` is asked about unless it is -1. */
static double touch_once(void)
{
    volatile unsigned char *memory =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct qu_register r = {{(uint64_t)(uintptr_t)memory, PAGES * PAGE}, QU_REGISTER_MISSING, 0};
    if (memory == MAP_FAILED)
        return -1;
    (void)madvise((void *)memory, PAGES * PAGE, MADV_NOHUGEPAGE);
    double taken = -1;
    if (uffd < 0 || ioctl(uffd, QU_IOC_REGISTER, &r) == 0) {
        double begin = microseconds();
        for (size_t i = 0; i < PAGES; i++)
            memory[i * PAGE] = 1;
        taken = (microseconds() - begin) / (double)PAGES;
    }
    munmap((void *)memory, PAGES * PAGE);
    return taken;
}

static double touch(void)
{
    double best = -1;
    for (int i = 0; i < ROUNDS; i++) {
        double taken = touch_once();
        if (taken > 0 && (best < 0 || taken < best))
            best = taken;
    }
    return best;
}

static bool open_uffd(uint64_t features)
{
    struct qu_api api = {QU_API, features, 0};
    uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | QU_USER_MODE_ONLY);
    return uffd >= 0 && ioctl(uffd, QU_IOC_API, &api) == 0;
}

static double measure_signal(void)
{
    struct sigaction mine = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO}, before;
    if (!open_uffd(QU_FEATURE_SIGBUS))
        return -1;
    sigaction(SIGBUS, &mine, &before);
    double cost = touch();
    sigaction(SIGBUS, &before, NULL);
    close(uffd);
    return cost;
}

static double measure_handler(void)
{
    pthread_t thread;
    if (!open_uffd(0) || pthread_create(&thread, NULL, answer, NULL) != 0)
        return -1;
    double cost = touch();
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    close(uffd);
    return cost;
}

void doctor_measure(struct doctor_costs *costs, bool signal, bool handler)
{
    memset(source, 7, sizeof source);
    uffd = -1;
    costs->plain = touch();
    costs->signal = signal ? measure_signal() : -1;
    costs->handler = handler ? measure_handler() : -1;
}
