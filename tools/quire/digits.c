/* SPDX-License-Identifier: MIT */
#include "digits.h"

#include <stdio.h>
#include <string.h>

void group_digits(const char *value, size_t length, char *text, size_t size)
{
    if (strspn(value, "0123456789") < length) {
        snprintf(text, size, "%.*s", (int)length, value);
        return;
    }
    size_t out = 0;
    for (size_t i = 0; i < length && out + 2 < size; i++) {
        if (i != 0 && (length - i) % 3 == 0)
            text[out++] = ',';
        text[out++] = value[i];
    }
    text[out] = '\0';
}

const char *grouped(uint64_t value)
{
    static char texts[8][32];
    static unsigned next;
    char digits[24], *text = texts[next++ % 8];
    int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    group_digits(digits, (size_t)length, text, sizeof(texts[0]));
    return text;
}
