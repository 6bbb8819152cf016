/* SPDX-License-Identifier: MIT */
/* The initial file system: which of the host's files are where. */
#ifndef QUIRE_TOOL_TREE_H
#define QUIRE_TOOL_TREE_H

#include "archive.h"
#include "disk.h"
#include "options.h"

/* Puts in the program at the host's `program`, the files of the options, the folders that the disks'
 * files go into, and the directories that every program expects. *guest is where the program is, to be freed. 0, or a status. */
int tree_build(struct archive *archive, const struct boot_options *options,
               const struct disks *disks, const char *program, char **guest);

#endif
