/* SPDX-License-Identifier: MIT */
/* From boot.S to the first program, and the end of the machine. */
#include <kernel/console.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <quire/host.h>
#include "device/serial.h"
#include "main/boot_info.h"
#include "process/init.h"
#include "thread/scheduler.h"
#include "x86/x86.h"

#define KERNEL_SPACE_BASE 0xffffff8000000000ul
#define KERNEL_SPACE_SIZE (0x8000000000ul - VM_PAGE_SIZE)

static kernel_args arguments;

static void add_boot_region(const char *name, const char *start, const char *end, unsigned lock)
{
    arguments.boot_region[arguments.boot_regions++] = (struct vm_boot_region){
        .name = name,
        .base = (addr_t)start,
        .size = (addr_t)(end - start),
        .lock = LOCK_KERNEL | lock,
    };
}

static void describe_spaces(void)
{
    arguments.format = &vm_tmap_x86_64;
    arguments.kernel_root = (addr_t)boot_root - IMAGE_OFFSET;
    arguments.kernel_base = KERNEL_SPACE_BASE;
    arguments.kernel_size = KERNEL_SPACE_SIZE;
    arguments.kernel_alloc_base = KERNEL_SPACE_BASE;
    arguments.user_base = USER_BASE;
    arguments.user_size = USER_TOP - USER_BASE;
    arguments.num_cpus = 1;
    arguments.page_daemons = 2;
    add_boot_region("kernel text", image_start, image_rodata, LOCK_RO | LOCK_EXECUTE);
    add_boot_region("kernel constants", image_rodata, image_data, LOCK_RO);
    add_boot_region("kernel data", image_data, image_end, LOCK_RW);
}

static void check(int error, const char *what)
{
    if (error == ERR_NO_MEMORY)
        panic("too little memory to boot (%s)", what);
    if (error != VM_OK)
        panic("%s: %s", what, vm_error_text(error));
}

static void read_console_options(void)
{
    const char *tty = command_line_option("tty", 0);
    const char *rows = command_line_option("rows", 0);
    const char *columns = command_line_option("cols", 0);
    uint64_t value;
    console_is_tty = tty != NULL && strcmp(tty, "1") == 0;
    if (rows != NULL && parse_number(rows, NULL, &value))
        console_rows = (unsigned)value;
    if (columns != NULL && parse_number(columns, NULL, &value))
        console_columns = (unsigned)value;
}

_Noreturn void kernel_start(addr_t start_info)
{
    struct cpu *cpu = &cpus[0];
    descriptors_init(cpu);
    scheduler_init(cpu);
    protect_image();
    boot_info_read(start_info, &arguments);
    read_console_options();
    describe_spaces();
    check(vm_init(&arguments), "vm_init");
    scheduler_start(cpu);
    interrupt_controller_init();
    clock_init();
    serial_init();
    timer_init();
    interrupts_on();
    check(vm_init_postsem(&arguments), "vm_init_postsem");
    check(vm_init_postthread(&arguments), "vm_init_postthread");
    init_start();
    scheduler_idle();
}
