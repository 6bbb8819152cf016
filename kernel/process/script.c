/* SPDX-License-Identifier: MIT */
/* "#!" lines. Each makes its interpreter the program to run, and puts itself in front of the arguments;
 * the interpreter may be a script again. */
#include <kernel/errno.h>
#include <kernel/process.h>
#include <kernel/string.h>
#include <quire/host.h>
#include "process/script.h"

int script_read_file(void *vnode, off_t position, void *buffer, size_t size, size_t *done)
{
    vm_cache_ref *cache;
    off_t file_size = host_vnode_size(vnode);
    *done = 0;
    if (position < 0 || position >= file_size)
        return 0;
    if ((uint64_t)(file_size - position) < size)
        size = (size_t)(file_size - position);
    int error = vm_get_vnode_cache(vnode, &cache);
    if (error != VM_OK)
        return errno_from_vm(error);
    error = vm_cache_read(cache, position, buffer, size, false, done);
    vm_put_cache(cache);
    return errno_from_vm(error);
}

/* Puts a copy of the text before the arguments there are. */
static int add_prefix(struct script *script, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = vm_meta_alloc(size);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, text, size);
    script->prefix[script->prefix_count++] = copy;
    return 0;
}

void script_free(struct script *script)
{
    while (script->prefix_count > 0) {
        char *text = script->prefix[--script->prefix_count];
        vm_meta_free(text, strlen(text) + 1);
    }
    if (script->vnode != NULL)
        host_vnode_release(script->vnode);
    script->vnode = NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char *skip_blanks(char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

/* Ends the line in `head` without blanks at its end. A line that is cut must at least name the whole
 * interpreter. */
static bool end_line(struct script *script)
{
    char *end = strchr(script->head, '\n');
    if (end == NULL) {
        char *word = skip_blanks(script->head + 2);
        while (*word != '\0' && !is_blank(*word))
            word++;
        if (*word == '\0' && script->head_size == SCRIPT_HEAD)
            return false;
        end = script->head + strlen(script->head);
    }
    while (end > script->head + 2 && is_blank(end[-1]))
        end--;
    *end = '\0';
    return true;
}

/* From "#!interpreter argument": the arguments become interpreter, argument, path, ... `path` is the
 * caller's, or the interpreter before: prefix[prefix_count - 1]. */
static int take_interpreter(struct script *script, const char *path)
{
    if (!end_line(script))
        return -ENOEXEC;
    char *interpreter = skip_blanks(script->head + 2);
    if (*interpreter == '\0')
        return -ENOEXEC;
    char *argument = interpreter;
    while (*argument != '\0' && !is_blank(*argument))
        argument++;
    if (*argument != '\0') {
        *argument = '\0';
        argument = skip_blanks(argument + 1);
    }
    int error = script->prefix_count == 0 ? add_prefix(script, path) : 0;
    if (error == 0 && *argument != '\0')
        error = add_prefix(script, argument);
    return error == 0 ? add_prefix(script, interpreter) : error;
}

static int open_and_read(struct script *script, const char *path)
{
    if (script->vnode != NULL)
        host_vnode_release(script->vnode);
    script->vnode = NULL;
    int error = fs_open_executable(path, &script->vnode);
    if (error != 0) {
        script->vnode = NULL;
        return error;
    }
    error = script_read_file(script->vnode, 0, script->head, SCRIPT_HEAD, &script->head_size);
    script->head[script->head_size] = '\0';
    return error;
}

int script_resolve(struct script *script, const char *path)
{
    for (unsigned depth = 0; depth <= SCRIPT_DEPTH; depth++) {
        int error = open_and_read(script, path);
        if (error != 0)
            return error;
        if (script->head_size < 2 || script->head[0] != '#' || script->head[1] != '!')
            return 0;
        if (depth == SCRIPT_DEPTH)
            break;
        error = take_interpreter(script, path);
        if (error != 0)
            return error;
        path = script->prefix[script->prefix_count - 1];
    }
    return -ELOOP;
}
