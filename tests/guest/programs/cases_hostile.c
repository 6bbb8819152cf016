/* SPDX-License-Identifier: MIT */
/* What once stopped the reference kernel, or took what it didn't give back. */
#include "cases.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

static void sendfile_to_itself(void)
{
    char text[12] = "";
    int file = make_file("tmp/itself", 0);
    must(pwrite(file, "abcde", 5, 0) == 5, "pwrite");
    CALL("five bytes over themselves", sendfile(file, file, NULL, 5));
    CALL("position", lseek(file, 0, SEEK_CUR));
    off_t from = 0;
    CALL("and behind", sendfile(file, file, &from, 5));
    must(pread(file, text, sizeof(text) - 1, 0) >= 0, "pread");
    say("the file: %s", text);
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Many times the machine's memory, read without being kept. */
static void holes_take_no_memory(void)
{
    static uint8_t buffer[64 * 1024];
    const off_t size = (off_t)1 << 40;
    int file = make_file("tmp/holes", 0);
    CALL("grown", ftruncate(file, size));
    bool zero = true;
    for (off_t done = 0; zero && done < (off_t)1 << 28; done += (off_t)sizeof(buffer)) {
        memset(buffer, 1, sizeof(buffer));
        zero = pread(file, buffer, sizeof(buffer), done) == (ssize_t)sizeof(buffer) &&
               is_zero(buffer, sizeof(buffer));
    }
    say_whether("256 MiB of zeros", zero);
    CALL("the last bytes", pread(file, buffer, sizeof(buffer), size - 10));
    CALL("behind them", pread(file, buffer, sizeof(buffer), size));
    CALL("to a bad buffer", pread(file, KERNEL_ADDRESS, 10, size / 2));
    uint8_t *pages =
        mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(pages != MAP_FAILED && munmap(pages + PAGE, PAGE) == 0, "pages");
    CALL("to a buffer that ends", pread(file, pages + PAGE - 7, 3 * PAGE, size / 2));
    unlink("tmp/holes");
}

static void mremap_looks_before_it_refuses(void)
{
    uint8_t *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    must(page != MAP_FAILED && munmap(page, PAGE) == 0, "a page that was");
    say_mapped("from nothing", mremap(page, PAGE, PAGE, flags, NULL));
}

const struct guest_case hostile_cases[] = {
    {"hostile.sendfile_to_itself", sendfile_to_itself},
    {"hostile.holes_take_no_memory", holes_take_no_memory},
    {"hostile.mremap_looks_before_it_refuses", mremap_looks_before_it_refuses},
    {NULL, NULL},
};
