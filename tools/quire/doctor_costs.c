/* SPDX-License-Identifier: MIT */
/* What a fault costs, by trying it. */
#include "doctor.h"

#include <errno.h>
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

static int uffd, memory_file;
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
static double touch_once(int rights)
{
    volatile unsigned char *memory =
        mmap(NULL, PAGES * PAGE, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
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

static double touch(int rights)
{
    double best = -1;
    for (int i = 0; i < ROUNDS; i++) {
        double taken = touch_once(rights);
        if (taken > 0 && (best < 0 || taken < best))
            best = taken;
    }
    return best;
}

int doctor_open_device(int *error)
{
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    int fd = device >= 0 ? ioctl(device, QU_DEVICE_NEW, O_CLOEXEC | O_NONBLOCK) : -1;
    *error = fd < 0 ? errno : 0;
    if (device >= 0)
        close(device);
    return fd;
}

/* In the order in which libquire tries them. */
static int open_any(void)
{
    int error, fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | QU_USER_MODE_ONLY);
    if (fd < 0)
        fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 ? fd : doctor_open_device(&error);
}

static bool open_uffd(uint64_t features)
{
    struct qu_api api = {QU_API, features, 0};
    uffd = open_any();
    return uffd >= 0 && ioctl(uffd, QU_IOC_API, &api) == 0;
}

static double measure_signal(void)
{
    struct sigaction mine = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO}, before;
    if (!open_uffd(QU_FEATURE_SIGBUS))
        return -1;
    sigaction(SIGBUS, &mine, &before);
    double cost = touch(PROT_READ | PROT_WRITE);
    sigaction(SIGBUS, &before, NULL);
    close(uffd);
    return cost;
}

static double measure_handler(void)
{
    pthread_t thread;
    if (!open_uffd(0) || pthread_create(&thread, NULL, answer, NULL) != 0)
        return -1;
    double cost = touch(PROT_READ | PROT_WRITE);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    close(uffd);
    return cost;
}

static void on_sigsegv(int number, siginfo_t *info, void *context)
{
    void *page = (void *)((uintptr_t)info->si_addr & ~(PAGE - 1));
    (void)context;
    if (mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, memory_file,
             0) == MAP_FAILED)
        signal(number, SIG_DFL);
}

static double measure_vspace(void)
{
    struct sigaction mine = {.sa_sigaction = on_sigsegv, .sa_flags = SA_SIGINFO}, before;
    memory_file = memfd_create("doctor", MFD_CLOEXEC);
    if (memory_file < 0)
        return -1;
    sigaction(SIGSEGV, &mine, &before);
    double cost = ftruncate(memory_file, (off_t)PAGE) == 0 ? touch(PROT_NONE) : -1;
    sigaction(SIGSEGV, &before, NULL);
    close(memory_file);
    return cost;
}

void doctor_measure(struct doctor_costs *costs, bool signal, bool handler)
{
    memset(source, 7, sizeof source);
    uffd = -1;
    costs->plain = touch(PROT_READ | PROT_WRITE);
    costs->signal = signal ? measure_signal() : -1;
    costs->handler = handler ? measure_handler() : -1;
    uffd = -1;
    costs->vspace = measure_vspace();
}
