/* SPDX-License-Identifier: MIT */
/* The figures of a run: for the screen, and as JSON. They come as "KEY=VALUE KEY=VALUE...". */
#ifndef QUIRE_TOOL_REPORT_H
#define QUIRE_TOOL_REPORT_H

#include "disk.h"

/* One screen, on standard error. */
void report_show(const char *figures, const struct disks *disks);
/* To the file `name`; 0, or a status after a message. */
int report_write_json(const char *figures, const char *name);

#endif
