/* SPDX-License-Identifier: MIT */
/* Copies that may fault on a program's memory: the only code that may touch it. Each instruction that
 * can fault has its recovery in the exception table. Eight bytes at a time, and where that faults the
 * rest byte by byte, so that everything before the bad byte is done and nothing behind it. */

#define ERR_VM_BAD_USER_MEMORY -4106

.macro RECOVER at, to
    .pushsection .exceptions, "a"
    .quad \at, \to
    .popsection
.endm

    .text

/* int host_user_memcpy(void *to, const void *from, size_t size) */
    .globl host_user_memcpy
host_user_memcpy:
    stac
    mov %rdx, %rcx
    shr $3, %rcx
    and $7, %edx
copy_words:
    rep movsq
    mov %edx, %ecx
copy_bytes:
    rep movsb
    clac
    xor %eax, %eax
    ret
copy_by_bytes:
    lea (%rdx, %rcx, 8), %rcx
    jmp copy_bytes
    RECOVER copy_words, copy_by_bytes
    RECOVER copy_bytes, failed

/* int host_user_memset(void *to, char c, size_t size) */
    .globl host_user_memset
host_user_memset:
    stac
    movzbl %sil, %eax
    movabs $0x0101010101010101, %rcx
    imul %rcx, %rax
    mov %rdx, %rcx
    shr $3, %rcx
    and $7, %edx
set_words:
    rep stosq
    mov %edx, %ecx
set_bytes:
    rep stosb
    clac
    xor %eax, %eax
    ret
set_by_bytes:
    lea (%rdx, %rcx, 8), %rcx
    jmp set_bytes
    RECOVER set_words, set_by_bytes
    RECOVER set_bytes, failed

/* int host_user_strcpy(char *to, const char *from) */
    .globl host_user_strcpy
host_user_strcpy:
    mov $-1, %rdx
/* int host_user_strncpy(char *to, const char *from, size_t size) */
    .globl host_user_strncpy
host_user_strncpy:
    stac
1:  test %rdx, %rdx
    jz 2f
string_read:
    movb (%rsi), %al
string_write:
    movb %al, (%rdi)
    inc %rsi
    inc %rdi
    dec %rdx
    test %al, %al
    jnz 1b
2:  clac
    xor %eax, %eax
    ret
    RECOVER string_read, failed
    RECOVER string_write, failed

failed:
    clac
    mov $ERR_VM_BAD_USER_MEMORY, %eax
    ret
    .section .note.GNU-stack, "", @progbits
