/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_POWER_H
#define KERNEL_POWER_H

/* What the tool that started the machine sees as QEMU's status: twice this, plus 1. */
enum machine_result { MACHINE_END = 0, MACHINE_PANIC = 0x7f };

_Noreturn void machine_stop(enum machine_result result);

#endif
