/* SPDX-License-Identifier: MIT */
/* printf without a library: flags, width, precision and length are parsed into a struct conversion,
 * and each kind of conversion writes through put(), which counts what no longer fits. */
#include <kernel/string.h>

struct output {
    char *buffer;
    size_t size, length; /* length counts what doesn't fit too */
};

/* One conversion: what stands between % and its letter. */
struct conversion {
    bool left, zeros, plus, space, alternate;
    int width, precision; /* precision -1: none given */
    int length;           /* in bytes */
};

static void put(struct output *output, char c)
{
    if (output->length + 1 < output->size)
        output->buffer[output->length] = c;
    output->length++;
}

static void put_repeated(struct output *output, char c, int count)
{
    for (; count > 0; count--)
        put(output, c);
}

static const char *parse_flags(const char *format, struct conversion *conversion)
{
    for (;; format++) {
        if (*format == '-')
            conversion->left = true;
        else if (*format == '0')
            conversion->zeros = true;
        else if (*format == '+')
            conversion->plus = true;
        else if (*format == ' ')
            conversion->space = true;
        else if (*format == '#')
            conversion->alternate = true;
        else
            return format;
    }
}

static const char *parse_count(const char *format, va_list *arguments, int *count)
{
    if (*format == '*') {
        *count = va_arg(*arguments, int);
        return format + 1;
    }
    *count = 0;
    for (; *format >= '0' && *format <= '9'; format++)
        if (*count < 100000)
            *count = *count * 10 + (*format - '0');
    return format;
}

static const char *parse_length(const char *format, struct conversion *conversion)
{
    conversion->length = sizeof(int);
    for (;; format++) {
        if (*format == 'l' || *format == 'z' || *format == 'j' || *format == 't')
            conversion->length = sizeof(long);
        else if (*format == 'h')
            conversion->length /= 2;
        else
            return format;
    }
}

static const char *parse_conversion(const char *format, va_list *arguments,
                                    struct conversion *conversion)
{
    *conversion = (struct conversion){.precision = -1};
    format = parse_flags(format, conversion);
    format = parse_count(format, arguments, &conversion->width);
    if (conversion->width < 0) {
        conversion->left = true;
        conversion->width = -conversion->width;
    }
    if (*format == '.')
        format = parse_count(format + 1, arguments, &conversion->precision);
    return parse_length(format, conversion);
}

static void put_text(struct output *output, const struct conversion *conversion, const char *text)
{
    if (text == NULL)
        text = "(null)";
    size_t limit = conversion->precision < 0 ? SIZE_MAX : (size_t)conversion->precision;
    int length = (int)strnlen(text, limit);
    if (!conversion->left)
        put_repeated(output, ' ', conversion->width - length);
    for (int i = 0; i < length; i++)
        put(output, text[i]);
    if (conversion->left)
        put_repeated(output, ' ', conversion->width - length);
}

static void put_number(struct output *output, const struct conversion *conversion, uint64_t value,
                       unsigned base, const char *digits, const char *prefix)
{
    char text[24];
    int length = 0;
    for (; value != 0; value /= base)
        text[length++] = digits[value % base];
    int precision = conversion->precision < 0 ? 1 : conversion->precision;
    int zeros = length < precision ? precision - length : 0;
    int padding = conversion->width - length - zeros - (int)strlen(prefix);
    if (conversion->zeros && !conversion->left && conversion->precision < 0 && padding > 0) {
        zeros += padding;
        padding = 0;
    }
    if (!conversion->left)
        put_repeated(output, ' ', padding);
    for (; *prefix != '\0'; prefix++)
        put(output, *prefix);
    put_repeated(output, '0', zeros);
    while (length > 0)
        put(output, text[--length]);
    if (conversion->left)
        put_repeated(output, ' ', padding);
}

static void put_signed(struct output *output, const struct conversion *conversion, int64_t value)
{
    if (conversion->length == 1)
        value = (int8_t)value;
    else if (conversion->length == 2)
        value = (int16_t)value;
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
    const char *sign = value < 0 ? "-" : conversion->plus ? "+" : conversion->space ? " " : "";
    put_number(output, conversion, magnitude, 10, "0123456789", sign);
}

static void put_unsigned(struct output *output, const struct conversion *conversion, char letter,
                         uint64_t value)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    if (conversion->length < 8)
        value &= (1ull << (conversion->length * 8)) - 1;
    unsigned base = letter == 'u' ? 10 : letter == 'o' ? 8 : 16;
    const char *prefix = "";
    if (conversion->alternate && value != 0 && base != 10)
        prefix = letter == 'X' ? "0X" : letter == 'o' ? "0" : "0x";
    put_number(output, conversion, value, base, letter == 'X' ? upper : lower, prefix);
}

static void put_conversion(struct output *output, struct conversion *conversion, char letter,
                           va_list *arguments)
{
    bool is_long = conversion->length > 4;
    if (letter == 's') {
        put_text(output, conversion, va_arg(*arguments, const char *));
    } else if (letter == 'c') {
        char text[2] = {(char)va_arg(*arguments, int), '\0'};
        put_text(output, conversion, text);
    } else if (letter == 'p') {
        conversion->alternate = true;
        conversion->length = 8;
        put_unsigned(output, conversion, 'x', (uintptr_t)va_arg(*arguments, void *));
    } else if (letter == 'd' || letter == 'i') {
        put_signed(output, conversion,
                   is_long ? va_arg(*arguments, long) : va_arg(*arguments, int));
    } else if (letter == 'u' || letter == 'x' || letter == 'X' || letter == 'o') {
        put_unsigned(output, conversion, letter,
                     is_long ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned));
    } else {
        put(output, letter);
    }
}

int format_text_v(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output output = {buffer, size, 0};
    va_list copy;
    va_copy(copy, arguments);
    while (*format != '\0') {
        if (*format != '%') {
            put(&output, *format++);
            continue;
        }
        struct conversion conversion;
        format = parse_conversion(format + 1, &copy, &conversion);
        if (*format == '\0')
            break;
        put_conversion(&output, &conversion, *format++, &copy);
    }
    va_end(copy);
    if (size > 0)
        buffer[output.length < size ? output.length : size - 1] = '\0';
    return (int)output.length;
}

int format_text(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = format_text_v(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
