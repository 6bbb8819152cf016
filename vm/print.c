/* SPDX-License-Identifier: MIT */
#include "print.h"

#include <stdarg.h>

#define LINE_SIZE 256

struct text {
    char line[LINE_SIZE];
    size_t length;
};

struct conversion {
    unsigned width;
    bool left, zero, is_long;
};

static void put(struct text *t, char c)
{
    if (t->length < LINE_SIZE - 1)
        t->line[t->length++] = c;
}

static void put_padded(struct text *t, const char *s, size_t length, const struct conversion *c)
{
    size_t pad = c->width > length ? c->width - length : 0;
    if (!c->left)
        for (; pad > 0; pad--)
            put(t, c->zero ? '0' : ' ');
    for (size_t i = 0; i < length; i++)
        put(t, s[i]);
    for (; pad > 0; pad--)
        put(t, ' ');
}

static void put_number(struct text *t, uint64_t value, unsigned base, bool negative,
                       const struct conversion *c)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    if (negative)
        digits[--at] = '-';
    put_padded(t, digits + at, sizeof digits - at, c);
}

static void put_string(struct text *t, const char *s, const struct conversion *c)
{
    size_t length = 0;
    if (!s)
        s = "(null)";
    while (s[length])
        length++;
    put_padded(t, s, length, c);
}

static const char *parse_conversion(const char *format, struct conversion *c)
{
    *c = (struct conversion){0};
    for (; *format == '-' || *format == '0'; format++) {
        c->left |= *format == '-';
        c->zero |= *format == '0';
    }
    for (; *format >= '0' && *format <= '9'; format++)
        c->width = c->width * 10 + (unsigned)(*format - '0');
    for (; *format == 'l' || *format == 'z'; format++)
        c->is_long = true;
    return format;
}

static void put_signed(struct text *t, int64_t value, const struct conversion *c)
{
    put_number(t, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, c);
}

static void format_text(struct text *t, const char *format, va_list arguments)
{
    struct conversion c;
    for (; *format; format++) {
        if (*format != '%') {
            put(t, *format);
            continue;
        }
        format = parse_conversion(format + 1, &c);
        switch (*format) {
        case 'd':
        case 'i':
            put_signed(t, c.is_long ? va_arg(arguments, long) : va_arg(arguments, int), &c);
            break;
        case 'u':
        case 'x':
            put_number(
                t, c.is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned int),
                *format == 'u' ? 10 : 16, false, &c);
            break;
        case 'p':
            put(t, '0');
            put(t, 'x');
            put_number(t, (uintptr_t)va_arg(arguments, void *), 16, false, &c);
            break;
        case 'c':
            put(t, (char)va_arg(arguments, int));
            break;
        case 's':
            put_string(t, va_arg(arguments, const char *), &c);
            break;
        case '\0':
            return;
        default:
            put(t, *format);
        }
    }
}

void vm_print(const char *format, ...)
{
    struct text t = {.length = 0};
    va_list arguments;
    va_start(arguments, format);
    format_text(&t, format, arguments);
    va_end(arguments);
    host_log(t.line, t.length);
}

void vm_panic(const char *format, ...)
{
    struct text t = {.length = 0};
    va_list arguments;
    va_start(arguments, format);
    format_text(&t, format, arguments);
    va_end(arguments);
    t.line[t.length] = '\0';
    host_panic(t.line);
}
