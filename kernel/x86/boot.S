/* SPDX-License-Identifier: MIT */
/* From the PVH entry (32 bits, no paging, EBX: hvm_start_info) to kernel_start in 64 bits.
 *
 * The tables built here stay: all memory from 0 on at slot 256, in 1 GiB pages; the image's 4 MiB at
 * -2 GiB, in 4 KiB pages. Slot 0 repeats slot 256 until kernel_start takes it away. */

#define PHYSICAL(symbol) (symbol - 0xffffffff80000000)

#define PRESENT_WRITE 0x3
#define PRESENT_WRITE_LARGE 0x83
#define CR0_PE_MP_NE_WP_PG 0x80010023
#define CR4_PAE_OSFXSR_OSXMMEXCPT 0x620
#define MSR_EFER 0xc0000080
#define EFER_SCE_LME_NXE 0x901
#define CPUID_NX_1GB_LM 0x24100000
#define CPUID_SMEP_SMAP 0x00100080

    .section .note.Xen, "a", @note
    .long 4, 4, 18              /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long boot_entry

    .section .boot, "ax"
    .code32
    .globl boot_entry
boot_entry:
    cld
    cli
    mov %ebx, %esi
    mov $0x80000001, %eax
    cpuid
    and $CPUID_NX_1GB_LM, %edx
    cmp $CPUID_NX_1GB_LM, %edx
    jne unsuitable
    mov $7, %eax
    xor %ecx, %ecx
    cpuid
    and $CPUID_SMEP_SMAP, %ebx
    cmp $CPUID_SMEP_SMAP, %ebx
    jne unsuitable

    /* Everything, in 1 GiB pages. */
    mov $PHYSICAL(boot_direct), %edi
    xor %ecx, %ecx
1:  mov %ecx, %eax
    shl $30, %eax
    or $PRESENT_WRITE_LARGE, %eax
    mov %eax, (%edi, %ecx, 8)
    mov %ecx, %eax
    shr $2, %eax
    mov %eax, 4(%edi, %ecx, 8)
    inc %ecx
    cmp $512, %ecx
    jne 1b

    /* The image, page by page. */
    mov $PHYSICAL(boot_image_pages), %edi
    xor %ecx, %ecx
2:  mov %ecx, %eax
    shl $12, %eax
    or $PRESENT_WRITE, %eax
    mov %eax, (%edi, %ecx, 8)
    inc %ecx
    cmp $1024, %ecx
    jne 2b

    mov $PHYSICAL(boot_root), %edi
    movl $PHYSICAL(boot_direct) + PRESENT_WRITE, (%edi)
    movl $PHYSICAL(boot_direct) + PRESENT_WRITE, 256 * 8(%edi)
    movl $PHYSICAL(boot_kernel) + PRESENT_WRITE, 511 * 8(%edi)
    mov $PHYSICAL(boot_kernel), %eax
    movl $PHYSICAL(boot_image) + PRESENT_WRITE, 510 * 8(%eax)
    mov $PHYSICAL(boot_image), %eax
    movl $PHYSICAL(boot_image_pages) + PRESENT_WRITE, (%eax)
    movl $PHYSICAL(boot_image_pages) + 0x1000 + PRESENT_WRITE, 8(%eax)

    mov %edi, %cr3
    mov $CR4_PAE_OSFXSR_OSXMMEXCPT, %eax
    mov %eax, %cr4
    mov $MSR_EFER, %ecx
    xor %edx, %edx
    mov $EFER_SCE_LME_NXE, %eax
    wrmsr
    mov $CR0_PE_MP_NE_WP_PG, %eax
    mov %eax, %cr0
    lgdt boot_gdt_register
    ljmp $0x10, $boot_long

unsuitable:
    mov $unsuitable_text, %esi
3:  lodsb
    test %al, %al
    jz 4f
    outb %al, $0xe9
    jmp 3b
4:  mov $0x7f, %al
    outb %al, $0xf4
5:  hlt
    jmp 5b
unsuitable_text:
    .asciz "\001panic this CPU lacks 64 bits, no-execute, 1 GiB pages, SMEP or SMAP: give QEMU -cpu max\n"

    .code64
boot_long:
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov %esi, %edi
    xor %ebp, %ebp
    movabs $boot_stack_top, %rsp
    movabs $kernel_start, %rax
    call *%rax
    ud2

    .balign 8
boot_gdt:
    .quad 0, 0
    .quad 0x00af9a000000ffff
    .quad 0x00cf92000000ffff
boot_gdt_register:
    .word 31
    .long boot_gdt

    .section .bss
    .balign 4096
    .globl boot_root, boot_direct
boot_root:
    .skip 4096
boot_direct:
    .skip 4096
boot_kernel:
    .skip 4096
boot_image:
    .skip 4096
    .globl boot_image_pages
boot_image_pages:
    .skip 8192
    .globl boot_stack, boot_stack_top
boot_stack:
    .skip 16384
boot_stack_top:
    .section .note.GNU-stack, "", @progbits
