/* SPDX-License-Identifier: MIT */
/* Paths as the user writes them. What is given back is to be freed; NULL: no memory. */
#ifndef QUIRE_TOOL_PATH_H
#define QUIRE_TOOL_PATH_H

/* What is behind the last slash; not to be freed. */
const char *path_base_name(const char *path);
/* The absolute path without ".", "..", and double slashes, as text: symbolic links stay. Relative
 * ones start at the working directory. */
char *path_clean(const char *path);
/* HOST[:GUEST]: the last colon that an absolute path follows separates, unless a file of the whole
 * name exists. *guest is NULL where there is none; one that ends with a slash is the folder that
 * the file goes into. 0, or a status after a message, which begins with `option`. */
int path_split(const char *option, const char *text, char **host, char **guest);

#endif
