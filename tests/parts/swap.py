# SPDX-License-Identifier: MIT
"""More memory than there is, in the reference kernel: programs that use it, each area of swap, areas that
fail, and what /proc and the final screen say of it."""
import hashlib
import json
import os
import random
import re
import tempfile

from parts.disks import with_bad_sector
from parts.guest import STATUS, boot, check_end, compare

PROGRAM = os.path.abspath("build/tests/guest/more-memory")

FIGURES = """written: Swap 0, SwapPss 0, VmSwap 0, SwapFree +0, pswpout +0, pswpin +0
paged out: Swap 256, SwapPss 256, VmSwap 256, SwapFree -256, pswpout +64, pswpin +0
right, with major faults
read: Swap 0, SwapPss 0, VmSwap 0, SwapFree +0, pswpout +0, pswpin +64
paged out unchanged: Swap 256, SwapPss 256, VmSwap 256, SwapFree +0, pswpout +0, pswpin +0
needed: Swap 0, SwapPss 0, VmSwap 0, SwapFree +0, pswpout +0, pswpin +64
right, in memory
VmSwap 0, SwapFree as before: yes"""


def run_with_figures(directory, *arguments, **options):
    """`quire boot` and the figures of its --json."""
    name = os.path.join(directory, "figures.json")
    done = boot("--stats", "--json", name, *arguments, **options)
    with open(name, encoding="utf-8") as file:
        return done, json.load(file)


def make_text(size):
    """Lines of 8 to 192 letters, from a seed."""
    source = random.Random(size)
    letters = b" etaoinshrdlucmfwypvbgkjqxz"
    text = bytearray(source.randbytes(size).translate(bytes(letters[i * 27 >> 8] for i in range(256))))
    end = -1
    while end < size - 1:
        end = min(end + source.randint(8, 192) + 1, size - 1)
        text[end] = ord("\n")
    return bytes(text)


def sorted_sum(text):
    """The checksum of the lines in order."""
    return hashlib.sha256(b"".join(sorted(text.splitlines(keepends=True)))).hexdigest()


# ---- figures -----------------------------------------------------------------------------------------

def check_figures(report):
    done = boot("--memory", "16M", "--swap", "8M", "--", PROGRAM, "figures", timeout=60)
    check_end(report, "figures of swap", done)
    compare(report, "figures of swap", FIGURES.splitlines(), done.stdout.splitlines())


def check_readers(report):
    """busybox's readers of /proc find what they look for."""
    done = boot("--memory", "32M", "--swap", "1M", "--swap", "3M", "--", "busybox", "sh", "-c",
                "free; echo; top -b -n1; echo; cat /proc/swaps; ps -o pid,vsz,rss,comm; cat /proc/stat",
                timeout=60)
    check_end(report, "readers of /proc", done)
    for name, pattern in (
            ("free: memory", r"^Mem: +\d{5} +\d+ +\d+ +0 +\d+ +\d+$"),
            ("free: swap", r"^Swap: +4096 +0 +4096$"),
            ("top: memory", r"^Mem: \d+K used, \d+K free, 0K shrd, 0K buff, \d+K cached$"),
            ("top: time", r"^CPU: +\d+% usr +\d+% sys .* +\d+% idle"),
            ("top: itself", r"^ +\d+ +\d+ 0 +R +\d{4} +\d+% +\d+% top -b -n1$"),
            ("swaps: the first", r"^swap0 +partition\t1024\t\t0\t\t-2$"),
            ("swaps: the second", r"^swap1 +partition\t3072\t\t0\t\t-3$"),
            ("ps", r"^ +\d+ 2236 +\d{3,4} ps$"),
            ("stat", r"^cpu  \d+ 0 \d+ \d+ 0 0 0 0 0 0$")):
        report.check(name, re.search(pattern, done.stdout, re.M), done.stdout)


# ---- areas -------------------------------------------------------------------------------------------

def check_areas(report, directory):
    """Three areas, none of which is enough by itself: all are used, and filled in turn."""
    done, figures = run_with_figures(directory, "--memory", "16M", "--swap", "2M", "--swap", "4M", "--swap",
                                     "32M", "--debug", "swap", "--debug", "check", "--", PROGRAM, "pattern",
                                     "24", timeout=120)
    check_end(report, "three areas of swap", done)
    report.check("three areas of swap: the bytes", done.stdout == "6144 pages, 0 of them wrong\n", done.stdout)
    for area in ("swap0", "swap1", "swap2"):
        report.check(f"{area} is used", figures[f"{area}_bytes_written"] > 1 << 20 and
                     figures[f"{area}_bytes_read"] > 1 << 20 and figures[f"{area}_errors"] == 0, str(figures))
        report.check(f"{area} on the final screen", re.search(
            rf"^ +[\d,]+  {area}: bytes read, in [\d,]+ reads; [\d,]+ bytes written, in [\d,]+ writes$",
            done.stderr, re.M), done.stderr)
        report.check(f"the debugger on {area}", re.search(
            rf"^  {area}: slots 0x\w+ to 0x\w+, 0 used; \d\d+ pages written, \d\d+ read, 0 errors$",
            done.stderr, re.M), done.stderr)
    pages = sum(figures[f"swap{i}_bytes_written"] for i in range(3)) // 4096
    report.check("what the disks and the core have written", pages == figures["swap_outs"], str(figures))
    report.check("the structures", "0 contradictions" in done.stderr, done.stderr)


# ---- areas that fail ---------------------------------------------------------------------------------

def check_bad_sector(report, directory):
    """A page that can't be read is its program's SIGBUS; one that can't be written stays where it is."""
    for kind in ("read", "write"):
        done, figures = run_with_figures(directory, "--memory", "16M", "--swap", "64M", "--debug", "check",
                                         "--", PROGRAM, "errors", "24", timeout=120,
                                         env=with_bad_sector(directory, kind))
        check_end(report, f"swap that can't {kind}", done)
        found = re.fullmatch(r"6144 pages: (\d+) right, (\d+) lost, 0 wrong\n", done.stdout)
        lost = int(found.group(2)) if found else -1
        report.check(f"swap that can't {kind}: the bytes", 1 <= lost <= 16 if kind == "read" else lost == 0,
                     done.stdout)
        report.check(f"swap that can't {kind}: on the final screen", figures["swap0_errors"] > 0 and
                     re.search(r"  swap0: .* writes; [\d,]+ errors$", done.stderr, re.M), done.stderr)
        report.check(f"swap that can't {kind}: the structures", "0 contradictions" in done.stderr, done.stderr)


def check_dead(report, directory):
    """Swap that takes nothing: pages stay. Swap that gives nothing back: programs end, and that is all."""
    folder = os.path.join(directory, "dead")
    os.mkdir(folder)
    no_writes, no_reads = with_bad_sector(folder, "write", ""), with_bad_sector(folder, "read", "")
    done, figures = run_with_figures(directory, "--memory", "16M", "--swap", "64M", "--", PROGRAM, "figures",
                                     timeout=60, env=no_writes)
    check_end(report, "swap that takes nothing", done)
    report.check("swap that takes nothing: the bytes", done.stdout.count("right, in memory\n") == 2 and
                 "pswpout +0, pswpin +0" in done.stdout and figures["swap0_errors"] > 0 and
                 figures["swap0_bytes_written"] == 0, done.stdout)
    more = ("--swap", "64M", "--debug", "check", "--file", f"{PROGRAM}:/more-memory", "--", "busybox", "sh", "-c")
    done = boot("--memory", "8M", *more, "/more-memory pattern 12; echo $?; echo here", timeout=150,
                env=no_writes)
    report.check("swap that takes nothing, and a program that needs it", done.returncode == 0 and
                 done.stdout == "137\nhere\n" and "0 contradictions" in done.stderr and
                 re.search(r"out of memory: process \d+ \(more-memory\), the largest", done.stderr),
                 f"{STATUS.get(done.returncode, done.returncode)}\n{done.stdout}{done.stderr[-1500:]}")
    done = boot("--memory", "16M", *more, "/more-memory pattern 24; echo $?", timeout=60, env=no_reads)
    # The shell's own pages may be among those that can't be read.
    report.check("swap that gives nothing back", (done.returncode == 0 and done.stdout == "135\n") or
                 done.returncode in (128 + 7, 128 + 11),
                 f"{STATUS.get(done.returncode, done.returncode)}\n{done.stdout}{done.stderr[-1500:]}")
    report.check("swap that gives nothing back: the structures", "0 contradictions" in done.stderr, done.stderr)


# ---- sorting -----------------------------------------------------------------------------------------

def check_sort(report, directory, mebibytes=6, memory="9M", timeout=120):
    """A sort in less memory than its text has, of one that is read from a disk."""
    path = os.path.join(directory, "text")
    text = make_text(mebibytes << 20)
    with open(path, "wb") as file:
        file.write(text)
    done, figures = run_with_figures(directory, "--memory", memory, "--swap", "256M", "--disk",
                                     f"{path}:/text:ro", "--", "busybox", "sh", "-c",
                                     "sort /text | sha256sum", timeout=timeout)
    name = f"a sort of {mebibytes} MiB in {memory}"
    check_end(report, name, done)
    report.check(f"{name}: the checksum", done.stdout == f"{sorted_sum(text)}  -\n", done.stdout)
    report.check(f"{name}: pages have gone and come back", figures["swap_outs"] > 256 and
                 figures["swap_ins"] > 256, str(figures))


def check_sorts(report, directory, count=4, mebibytes=3, memory="16M", timeout=200):
    """Several at once, each of a text of its own."""
    disks, sums = [], []
    for i in range(count):
        path = os.path.join(directory, f"text{i}")
        text = make_text((mebibytes << 20) + 1000 * i)
        with open(path, "wb") as file:
            file.write(text)
        disks += ["--disk", f"{path}:/text{i}:ro"]
        sums.append(sorted_sum(text))
    numbers = " ".join(map(str, range(count)))
    done, figures = run_with_figures(
        directory, "--memory", memory, "--swap", "512M", *disks, "--", "busybox", "sh", "-c",
        f"for i in {numbers}; do sort /text$i | sha256sum >/sum$i & done; wait; "
        f"for i in {numbers}; do cat /sum$i; done", timeout=timeout)
    name = f"{count} sorts at once of {mebibytes} MiB in {memory}"
    check_end(report, name, done)
    report.check(f"{name}: the checksums", done.stdout == "".join(f"{s}  -\n" for s in sums), done.stdout)
    report.check(f"{name}: pages have gone and come back", figures["swap_outs"] > 256 and
                 figures["swap_ins"] > 256, str(figures))


def run_long(report, _seconds):
    """The sort of the README, and four of its kind at once."""
    with tempfile.TemporaryDirectory() as directory:
        check_sort(report, directory, mebibytes=48, memory="32M", timeout=1500)
        check_sorts(report, directory, mebibytes=12, memory="32M", timeout=1500)


def run(report):
    check_figures(report)
    check_readers(report)
    with tempfile.TemporaryDirectory() as directory:
        check_areas(report, directory)
        check_bad_sector(report, directory)
        check_dead(report, directory)
        check_sort(report, directory)
        check_sorts(report, directory)
