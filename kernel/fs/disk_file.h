/* SPDX-License-Identifier: MIT */
/* Files that are disks: their bytes are the disk's, their length never changes. A word of the command line
 * says of each: disk=DISK,LENGTH,ro|rw,PATH; a file of length 0 needs no disk of that name. */
#ifndef KERNEL_DISK_FILE_H
#define KERNEL_DISK_FILE_H

/* Once the tree of names is there. -errno, after a line in the log. */
int disk_files_start(void);
/* Writes back what is modified in all of them, mapped or not, and has the disks flush it. 0, or -EIO once
 * all have been tried. */
int disk_files_sync(void);
/* Only the latter: for what is written already. */
int disk_files_flush(void);
/* The same as sync, at the end, with a line in the log for each error; afterwards they end like others. */
int disk_files_end(void);

#endif
