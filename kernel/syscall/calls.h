/* SPDX-License-Identifier: MIT */
/* Every system call: its number and its name. sys_NAME does it: it takes the registers of the program
 * and returns what rax becomes. */
#ifndef KERNEL_SYSCALL_CALLS_H
#define KERNEL_SYSCALL_CALLS_H

#include <kernel/errno.h>
#include <kernel/trap.h>

#define LINUX_CALLS(CALL)                                                                          \
    CALL(0, read)                                                                                  \
    CALL(1, write)                                                                                 \
    CALL(2, open)                                                                                  \
    CALL(3, close)                                                                                 \
    CALL(4, stat)                                                                                  \
    CALL(5, fstat)                                                                                 \
    CALL(6, lstat)                                                                                 \
    CALL(7, poll)                                                                                  \
    CALL(8, lseek)                                                                                 \
    CALL(9, mmap)                                                                                  \
    CALL(10, mprotect)                                                                             \
    CALL(11, munmap)                                                                               \
    CALL(12, brk)                                                                                  \
    CALL(13, rt_sigaction)                                                                         \
    CALL(14, rt_sigprocmask)                                                                       \
    CALL(15, rt_sigreturn)                                                                         \
    CALL(16, ioctl)                                                                                \
    CALL(17, pread64)                                                                              \
    CALL(18, pwrite64)                                                                             \
    CALL(19, readv)                                                                                \
    CALL(20, writev)                                                                               \
    CALL(21, access)                                                                               \
    CALL(22, pipe)                                                                                 \
    CALL(23, select)                                                                               \
    CALL(24, sched_yield)                                                                          \
    CALL(25, mremap)                                                                               \
    CALL(26, msync)                                                                                \
    CALL(27, mincore)                                                                              \
    CALL(28, madvise)                                                                              \
    CALL(32, dup)                                                                                  \
    CALL(33, dup2)                                                                                 \
    CALL(34, pause)                                                                                \
    CALL(35, nanosleep)                                                                            \
    CALL(36, getitimer)                                                                            \
    CALL(37, alarm)                                                                                \
    CALL(38, setitimer)                                                                            \
    CALL(39, getpid)                                                                               \
    CALL(40, sendfile)                                                                             \
    CALL(56, clone)                                                                                \
    CALL(57, fork)                                                                                 \
    CALL(58, vfork)                                                                                \
    CALL(59, execve)                                                                               \
    CALL(60, exit)                                                                                 \
    CALL(61, wait4)                                                                                \
    CALL(62, kill)                                                                                 \
    CALL(63, uname)                                                                                \
    CALL(72, fcntl)                                                                                \
    CALL(73, flock)                                                                                \
    CALL(74, fsync)                                                                                \
    CALL(75, fdatasync)                                                                            \
    CALL(76, truncate)                                                                             \
    CALL(77, ftruncate)                                                                            \
    CALL(79, getcwd)                                                                               \
    CALL(80, chdir)                                                                                \
    CALL(81, fchdir)                                                                               \
    CALL(82, rename)                                                                               \
    CALL(83, mkdir)                                                                                \
    CALL(84, rmdir)                                                                                \
    CALL(85, creat)                                                                                \
    CALL(86, link)                                                                                 \
    CALL(87, unlink)                                                                               \
    CALL(88, symlink)                                                                              \
    CALL(89, readlink)                                                                             \
    CALL(90, chmod)                                                                                \
    CALL(91, fchmod)                                                                               \
    CALL(92, chown)                                                                                \
    CALL(93, fchown)                                                                               \
    CALL(94, lchown)                                                                               \
    CALL(95, umask)                                                                                \
    CALL(96, gettimeofday)                                                                         \
    CALL(97, getrlimit)                                                                            \
    CALL(98, getrusage)                                                                            \
    CALL(99, sysinfo)                                                                              \
    CALL(100, times)                                                                               \
    CALL(102, getuid)                                                                              \
    CALL(104, getgid)                                                                              \
    CALL(105, setuid)                                                                              \
    CALL(106, setgid)                                                                              \
    CALL(107, geteuid)                                                                             \
    CALL(108, getegid)                                                                             \
    CALL(109, setpgid)                                                                             \
    CALL(110, getppid)                                                                             \
    CALL(111, getpgrp)                                                                             \
    CALL(112, setsid)                                                                              \
    CALL(113, setreuid)                                                                            \
    CALL(114, setregid)                                                                            \
    CALL(115, getgroups)                                                                           \
    CALL(116, setgroups)                                                                           \
    CALL(117, setresuid)                                                                           \
    CALL(118, getresuid)                                                                           \
    CALL(119, setresgid)                                                                           \
    CALL(120, getresgid)                                                                           \
    CALL(121, getpgid)                                                                             \
    CALL(124, getsid)                                                                              \
    CALL(127, rt_sigpending)                                                                       \
    CALL(128, rt_sigtimedwait)                                                                     \
    CALL(129, rt_sigqueueinfo)                                                                     \
    CALL(130, rt_sigsuspend)                                                                       \
    CALL(131, sigaltstack)                                                                         \
    CALL(133, mknod)                                                                               \
    CALL(137, statfs)                                                                              \
    CALL(138, fstatfs)                                                                             \
    CALL(149, mlock)                                                                               \
    CALL(150, munlock)                                                                             \
    CALL(151, mlockall)                                                                            \
    CALL(152, munlockall)                                                                          \
    CALL(157, prctl)                                                                               \
    CALL(158, arch_prctl)                                                                          \
    CALL(160, setrlimit)                                                                           \
    CALL(162, sync)                                                                                \
    CALL(186, gettid)                                                                              \
    CALL(200, tkill)                                                                               \
    CALL(201, time)                                                                                \
    CALL(202, futex)                                                                               \
    CALL(204, sched_getaffinity)                                                                   \
    CALL(217, getdents64)                                                                          \
    CALL(218, set_tid_address)                                                                     \
    CALL(221, fadvise64)                                                                           \
    CALL(228, clock_gettime)                                                                       \
    CALL(229, clock_getres)                                                                        \
    CALL(230, clock_nanosleep)                                                                     \
    CALL(231, exit_group)                                                                          \
    CALL(234, tgkill)                                                                              \
    CALL(235, utimes)                                                                              \
    CALL(247, waitid)                                                                              \
    CALL(257, openat)                                                                              \
    CALL(258, mkdirat)                                                                             \
    CALL(259, mknodat)                                                                             \
    CALL(260, fchownat)                                                                            \
    CALL(262, newfstatat)                                                                          \
    CALL(263, unlinkat)                                                                            \
    CALL(264, renameat)                                                                            \
    CALL(265, linkat)                                                                              \
    CALL(266, symlinkat)                                                                           \
    CALL(267, readlinkat)                                                                          \
    CALL(268, fchmodat)                                                                            \
    CALL(269, faccessat)                                                                           \
    CALL(270, pselect6)                                                                            \
    CALL(271, ppoll)                                                                               \
    CALL(273, set_robust_list)                                                                     \
    CALL(280, utimensat)                                                                           \
    CALL(285, fallocate)                                                                           \
    CALL(292, dup3)                                                                                \
    CALL(293, pipe2)                                                                               \
    CALL(302, prlimit64)                                                                           \
    CALL(316, renameat2)                                                                           \
    CALL(318, getrandom)                                                                           \
    CALL(319, memfd_create)                                                                        \
    CALL(325, mlock2)                                                                              \
    CALL(332, statx)                                                                               \
    CALL(334, rseq)                                                                                \
    CALL(439, faccessat2)

/* The seed's calls for programs; they return Quire's own errors. */
#define FIRST_USER_VM_CALL 1000
#define USER_VM_CALLS(CALL)                                                                        \
    CALL(0, user_vm_create_anonymous_region)                                                       \
    CALL(1, user_vm_clone_region)                                                                  \
    CALL(2, user_vm_map_file)                                                                      \
    CALL(3, user_vm_delete_region)                                                                 \
    CALL(4, user_vm_get_region_info)                                                               \
    CALL(5, user_vm_get_vm_info)

#define DECLARE(number, name) int64_t sys_##name(struct trap_frame *frame);
LINUX_CALLS(DECLARE)
USER_VM_CALLS(DECLARE)
#undef DECLARE

/* A call's arguments, in a function whose parameter is `frame`. */
#define ARGUMENT(n) SYSCALL_ARGUMENT_##n(frame)
#define INTEGER(n) ((int)ARGUMENT(n))
#define UNSIGNED(n) ((unsigned)ARGUMENT(n))
#define SIZE(n) ((size_t)ARGUMENT(n))
#define POINTER(n) ((void *)ARGUMENT(n))

#endif
