/* SPDX-License-Identifier: MIT */
/* Tries to execute a file that has no pages: a text of /proc, made executable through its descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void)
{
    char path[64];
    int file = open("/proc/self/maps", O_RDONLY);
    if (file < 0) {
        perror("/proc/self/maps");
        return 1;
    }
    (void)fchmod(file, 0777);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    execl(path, path, (char *)NULL);
    printf("not executed\n");
    return 0;
}
