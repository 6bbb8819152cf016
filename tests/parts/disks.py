# SPDX-License-Identifier: MIT
"""Files that are disks of the machine: what programs see, and what the host has afterwards."""
import hashlib
import os
import shutil
import tempfile

from parts.guest import boot, check_end, compare, run_here

PROGRAM = os.path.abspath("build/tests/guest/disk-file")
SIZE = 20003  # no multiple of anything

FIXED = """write over the end: 3
write at the end: No space left on device
write far behind it: No space left on device
append: No space left on device
ftruncate to its length: 0
ftruncate to less: Operation not permitted
truncate to more: Operation not permitted
fallocate inside: 0
fallocate behind: No space left on device
O_TRUNC: Operation not permitted
length: 0"""

READ_ONLY = """O_RDWR: Read-only file system
O_WRONLY: Read-only file system
O_TRUNC: Read-only file system
truncate: Read-only file system
access to write: Read-only file system
read: 1
mmap to write: Permission denied
mapped: 0
mprotect to write: Permission denied
fsync: 0"""

# The bad sector is in page 20, and pages are read in groups of 16.
BAD_READ = """all of it: 81920
the rest: Input/output error
mapped, good: 0
mapped, bad: SIGBUS
mapped, beside it: 174
behind it: 1"""

BAD_WRITE = """msync, good: 0
msync, bad: Input/output error
fsync: Input/output error
O_SYNC: Input/output error
read: 1"""


def make(directory, name, size=SIZE):
    """A file of bytes that tell where they are."""
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(bytes(at % 251 for at in range(size)))
    return path


def content(path):
    with open(path, "rb") as file:
        return file.read()


def check_like_linux(report, directory):
    """The same lines, and the same bytes afterwards, as with an ordinary file of this host."""
    for case in ("tail", "shared", "private", "written"):
        here, there = make(directory, f"{case}-here"), make(directory, f"{case}-there")
        with open(here, "rb") as kept:  # one case takes the name away
            expected = run_here([PROGRAM, case, here], directory).stdout.splitlines()
            bytes_here = kept.read()
        done = boot("--disk", f"{there}:/deep/in/there", "--", PROGRAM, case, "/deep/in/there")
        check_end(report, f"disk {case}", done)
        compare(report, f"disk {case}", expected, done.stdout.splitlines())
        report.check(f"disk {case}: the host's bytes", content(there) == bytes_here,
                     f"{len(bytes_here)} expected, {len(content(there))} found")


def check_own_ways(report, directory):
    path = make(directory, "fixed")
    done = boot("--disk", path, "--", PROGRAM, "fixed", "/fixed")
    compare(report, "a fixed length", FIXED.splitlines(), done.stdout.splitlines())
    report.check("a fixed length: the host's bytes",
                 content(path) == bytes(at % 251 for at in range(SIZE - 3)) + b"abc", "")
    path = make(directory, "constant")
    os.chmod(path, 0o444)
    before = content(path)
    done = boot("--disk", f"{path}:ro", "--", PROGRAM, "read_only", "/constant")
    compare(report, "read only", READ_ONLY.splitlines(), done.stdout.splitlines())
    report.check("read only: the host's bytes", content(path) == before, "")


def check_several(report, directory):
    """Two files, one of no length, and swap beside them; the sums are those of the host."""
    one, two = make(directory, "one", 3000001), make(directory, "two", 512 * 1024)
    nothing = make(directory, "nothing", 0)
    done = boot("--stats", "--disk", one, "--disk", f"{two}:/two:ro", "--disk", nothing, "--swap", "8M",
                "--", "busybox", "sh", "-c",
                "md5sum /one /two /nothing; dd if=/two of=/one conv=notrunc bs=64k count=3 seek=7;"
                " echo | dd of=/nothing; true")
    sums = [hashlib.md5(bytes(at % 251 for at in range(size))).hexdigest()
            for size in (3000001, 512 * 1024, 0)]
    check_end(report, "several disks", done)
    report.check("several disks: what is read", [line.split()[0] for line in done.stdout.splitlines()]
                 == sums, done.stdout)
    expected = bytearray(at % 251 for at in range(3000001))
    expected[7 << 16:10 << 16] = content(two)[:3 << 16]
    report.check("several disks: what is written", content(one) == bytes(expected), "")
    report.check("nothing stays nothing", content(nothing) == b"" and "No space" in done.stderr,
                 done.stderr)
    report.check("--stats of disks", "/one: bytes read" in done.stderr, done.stderr)


def with_bad_sector(directory, kind, sector='sector = "164"'):
    """An environment in which the tool finds a QEMU whose disks fail at one sector, of page 20; at all
    sectors, without the line."""
    folder, real = os.path.join(directory, kind), shutil.which("qemu-system-x86_64")
    os.mkdir(folder)
    rules, wrapper = os.path.join(folder, "rules"), os.path.join(folder, "qemu-system-x86_64")
    with open(rules, "w", encoding="ascii") as file:
        file.write(f'[inject-error]\nevent = "{kind}_aio"\niotype = "{kind}"\n'
                   f'errno = "5"\n{sector}\n')
    with open(wrapper, "w", encoding="ascii") as file:
        file.write("#!/usr/bin/env python3\nimport os, sys\n"
                   f"os.execv('{real}', [a.replace('file=/proc', 'file=blkdebug:{rules}:/proc')\n"
                   "    for a in sys.argv])\n")
    os.chmod(wrapper, 0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def check_errors(report, directory):
    path = make(directory, "bad-read", 300000)
    done = boot("--disk", path, "--", PROGRAM, "bad_read", "/bad-read",
                env=with_bad_sector(directory, "read"))
    check_end(report, "a sector that can't be read", done)
    compare(report, "a sector that can't be read", BAD_READ.splitlines(), done.stdout.splitlines())
    path = make(directory, "bad-write", 300000)
    before = content(path)
    done = boot("--disk", path, "--", PROGRAM, "bad_write", "/bad-write",
                env=with_bad_sector(directory, "write"))
    compare(report, "a sector that can't be written", BAD_WRITE.splitlines(),
            done.stdout.splitlines())
    report.check("it is an error at the end, too", done.returncode == 121 and "lost" in done.stderr
                 and "/bad-write" in done.stderr, f"{done.returncode}\n{done.stderr}")
    after = content(path)
    report.check("what lies behind it was written", after[40 * 4096:40 * 4096 + 1] == b"c"
                 and after[:1] == b"a" and len(after) == len(before), repr(after[:4]))


def run(report):
    with tempfile.TemporaryDirectory() as directory:
        check_like_linux(report, directory)
        check_own_ways(report, directory)
        check_several(report, directory)
        check_errors(report, directory)
