/* SPDX-License-Identifier: MIT */
/* Linux's userfaultfd, as far as it is used: numbers of the kernel's interface that the headers of
 * Debian 12 (Linux 6.1) know in part. What a running kernel knows of them is asked of it. */
#ifndef QUIRE_LINUX_UAPI_H
#define QUIRE_LINUX_UAPI_H

#include <stdint.h>

#define QU_API 0xaaull
#define QU_USER_MODE_ONLY 1 /* flag of userfaultfd(2): only faults of user mode */

/* struct qu_api.features */
#define QU_FEATURE_WP ((uint64_t)1 << 0)          /* of anonymous memory */
#define QU_FEATURE_EVENT_REMAP ((uint64_t)1 << 2) /* mremap ends when its message has been read */
#define QU_FEATURE_SIGBUS ((uint64_t)1 << 7)
#define QU_FEATURE_THREAD_ID ((uint64_t)1 << 8)
#define QU_FEATURE_EXACT_ADDRESS ((uint64_t)1 << 11)
#define QU_FEATURE_POISON ((uint64_t)1 << 14)
#define QU_FEATURE_MOVE ((uint64_t)1 << 16)

#define QU_REGISTER_MISSING ((uint64_t)1 << 0)
#define QU_REGISTER_WP ((uint64_t)1 << 1)
#define QU_COPY_WP ((uint64_t)1 << 1)
#define QU_PROTECT_WP ((uint64_t)1 << 0)

struct qu_api {
    uint64_t api, features, ioctls;
};
struct qu_range {
    uint64_t start, len;
};
struct qu_register {
    struct qu_range range;
    uint64_t mode, ioctls;
};
struct qu_copy {
    uint64_t dst, src, len, mode;
    int64_t copied;
};
struct qu_protect {
    struct qu_range range;
    uint64_t mode;
};
struct qu_poison {
    struct qu_range range;
    uint64_t mode;
    int64_t updated;
};

#define QU_IO(direction, number, type)                                                             \
    ((unsigned long)(direction) << 30 | (unsigned long)sizeof(type) << 16 | 0xaaul << 8 | (number))
#define QU_IOC_API QU_IO(3, 0x3f, struct qu_api)
#define QU_IOC_REGISTER QU_IO(3, 0x00, struct qu_register)
#define QU_IOC_UNREGISTER QU_IO(2, 0x01, struct qu_range)
#define QU_IOC_WAKE QU_IO(2, 0x02, struct qu_range)
#define QU_IOC_COPY QU_IO(3, 0x03, struct qu_copy)
#define QU_IOC_PROTECT QU_IO(3, 0x06, struct qu_protect)
#define QU_IOC_POISON QU_IO(3, 0x08, struct qu_poison)
#define QU_DEVICE_NEW (0xaaul << 8) /* of /dev/userfaultfd */

#define QU_COLD 20 /* advice of madvise(2) */
#define QU_DONTNEED_LOCKED 24
#define QU_MREMAP_DONTUNMAP 4 /* flag of mremap(2) */

#define QU_EVENT_PAGEFAULT 0x12
#define QU_FAULT_WRITE ((uint64_t)1 << 0)
#define QU_FAULT_WP ((uint64_t)1 << 1)

struct qu_message {
    uint8_t event, reserved[7];
    uint64_t flags, address;
    uint32_t thread, reserved_2;
};

#endif
