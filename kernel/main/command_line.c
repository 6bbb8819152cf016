/* SPDX-License-Identifier: MIT */
/* Words are separated by blanks; inside a word %20 is one, so that any argument can be passed. */
#include <kernel/log.h>
#include <kernel/string.h>
#include "main/boot_info.h"

#define LINE_SIZE 16384

static char line_copy[LINE_SIZE];

static unsigned hex_value(char c)
{
    uint64_t value;
    char text[4] = {'0', 'x', c, '\0'};
    return parse_number(text, NULL, &value) ? (unsigned)value : 16;
}

/* %41 becomes A, in place; a lone % stands for an empty word. */
static void decode(char *word)
{
    char *to = word;
    if (strcmp(word, "%") == 0)
        *word = '\0';
    for (const char *from = word; *from != '\0'; from++, to++) {
        *to = *from;
        if (*from != '%' || hex_value(from[1]) > 15 || hex_value(from[2]) > 15)
            continue;
        *to = (char)(hex_value(from[1]) << 4 | hex_value(from[2]));
        from += 2;
    }
    *to = '\0';
}

static void add_word(char *word)
{
    if (boot_info.word_count == MAX_WORDS)
        panic("the command line has more than %d words", MAX_WORDS);
    bool separator = strcmp(word, "--") == 0 && boot_info.program == MAX_WORDS;
    decode(word);
    if (separator)
        boot_info.program = boot_info.word_count;
    else
        boot_info.words[boot_info.word_count++] = word;
}

void command_line_read(const char *line)
{
    if (strlcpy(line_copy, line, sizeof(line_copy)) >= sizeof(line_copy))
        panic("the command line is longer than %d bytes", LINE_SIZE - 1);
    boot_info.program = MAX_WORDS;
    char *rest = line_copy;
    while (*rest != '\0') {
        char *end = strchr(rest, ' ');
        char *next = end != NULL ? end + 1 : rest + strlen(rest);
        if (end != NULL)
            *end = '\0';
        if (*rest != '\0')
            add_word(rest);
        rest = next;
    }
    if (boot_info.program > boot_info.word_count)
        boot_info.program = boot_info.word_count;
}

const char *command_line_option(const char *name, unsigned index)
{
    size_t length = strlen(name);
    for (unsigned i = 0; i < boot_info.program; i++) {
        const char *word = boot_info.words[i];
        if (strncmp(word, name, length) == 0 && word[length] == '=' && index-- == 0)
            return word + length + 1;
    }
    return NULL;
}
