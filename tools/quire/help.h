/* SPDX-License-Identifier: MIT */
#ifndef QUIRE_TOOL_HELP_H
#define QUIRE_TOOL_HELP_H

extern const char help_quire[];
extern const char help_boot[];
extern const char help_sim[];
extern const char help_doctor[];
extern const char help_demo[];

#endif
