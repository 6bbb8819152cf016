/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "terminal.h"

#define RECORD_MARK '\x01'

void write_words(const char *bytes, size_t length)
{
    bool raw = terminal_is_raw();
    for (size_t i = 0; i < length; i++) {
        if (raw && bytes[i] == '\n')
            fputc('\r', stderr);
        fputc(bytes[i], stderr);
    }
    fflush(stderr);
}

static void say(const char *text)
{
    write_words("quire: ", 7);
    write_words(text, strlen(text));
    write_words("\n", 1);
}

static void take_leak(struct record_reader *reader, const char *frames)
{
    char text[128];
    snprintf(text, sizeof(text), "%.20s frames were lost: fewer are free than before the program",
             frames);
    say(text);
    reader->leaked = true;
}

/* They come in several records: what doesn't fit is left out. */
static void add_figures(struct record_reader *reader, const char *figures)
{
    size_t length = strlen(reader->figures);
    if (length + strlen(figures) + 2 <= sizeof(reader->figures))
        sprintf(reader->figures + length, "%s%s", length != 0 ? " " : "", figures);
}

static void take_record(struct record_reader *reader)
{
    const char *line = reader->line;
    if (strncmp(line, "exit ", 5) == 0) {
        reader->exited = true;
        reader->status = atoi(line + 5) & 0xff;
    } else if (strcmp(line, "ready") == 0) {
        reader->ready = true;
    } else if (strncmp(line, "panic ", 6) == 0) {
        reader->panicked = true;
        say("the kernel stopped:");
        write_words(line + 6, strlen(line + 6));
        write_words("\n", 1);
    } else if (strncmp(line, "leak ", 5) == 0) {
        take_leak(reader, line + 5);
    } else if (strncmp(line, "stats ", 6) == 0) {
        add_figures(reader, line + 6);
    } else if (strcmp(line, "figures") == 0) {
        reader->has_figures = true;
    } else if (strcmp(line, "unwritten") == 0) {
        reader->unwritten = true;
    } else if (strcmp(line, "unknown") == 0) {
        reader->unknown = true;
    }
}

static void take_record_byte(struct record_reader *reader, char byte)
{
    if (byte != '\n') {
        if (reader->length < RECORD_LENGTH - 1)
            reader->line[reader->length++] = byte;
        return;
    }
    reader->line[reader->length] = '\0';
    reader->inside = false;
    take_record(reader);
}

void record_feed(struct record_reader *reader, const char *bytes, size_t length)
{
    reader->heard = true;
    size_t words = 0; /* where the words not yet written begin */
    for (size_t i = 0; i < length; i++) {
        if (reader->inside) {
            take_record_byte(reader, bytes[i]);
            words = i + 1;
        } else if (bytes[i] == RECORD_MARK && !reader->middle) {
            write_words(bytes + words, i - words);
            reader->inside = true;
            reader->length = 0;
            words = i + 1;
        } else {
            reader->middle = bytes[i] != '\n';
        }
    }
    write_words(bytes + words, length - words);
}
