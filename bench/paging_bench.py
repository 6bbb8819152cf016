# SPDX-License-Identifier: MIT
"""What it takes to let a page go and to bring it back, in the reference kernel and in Debian's Linux: instructions
of program, kernel and driver, and requests to the disk."""
import os
import re

import counted
import guest_bench
import sort_bench

PROGRAM = "build/bench/pagebench"
SWAP_MIB = 512
QUIRE_MEMORY, LINUX_MEMORY = "64M", "128M"
TIMEOUT = 300
# The mark at whose end a row ends, what the row is called, and the mark before it.
ROWS = (("written_out", "a page that was written goes: madvise(PAGEOUT)", "nothing"),
        ("let_go", "a page goes that swap has already", "back"),
        ("read_in_order", "it comes back, read in order", "let_go"),
        ("read_at_random", "it comes back, read at random", "let_go_again"),
        ("fresh", "first write to a page, memory is free", "begin"),
        ("fresh_when_full", "first write to a page, memory is full", "filled"),
        ("read_when_full", "read of a page that has gone, memory is full", "fresh_when_full"))
LINUX_JOB = """mkswap /dev/vda >/dev/null
swapon /dev/vda
echo 3 >/proc/sys/vm/drop_caches
/pagebench"""


def build_program():
    os.makedirs(os.path.dirname(PROGRAM), exist_ok=True)
    guest_bench.run(["musl-gcc", "-static", "-O2", "-D_GNU_SOURCE", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
                     "-o", PROGRAM, "bench/guest/pagebench.c"])


def rows(lines, marks, system):
    """{row: (instructions, pages written, read, requests) for each page}. What a mark itself takes, with its
    sleep, is measured between two with nothing in between."""
    text = "\n".join(lines)
    if not re.search(r"^end: [1-9]\d*$", text, re.M):
        raise SystemExit(f"bench: the program didn't come to its end in {system}:\n{text[-2000:]}")
    nothing = marks["nothing"]["instructions"] - marks["begin of nothing"]["instructions"]
    found = {}
    for name, _, before in ROWS:
        pages = int(re.search(rf"^pages {name} (\d+)$", text, re.M).group(1))
        spent = {key: marks[name][key] - marks[before][key] for key in marks[name]}
        found[name] = {"instructions": round((spent["instructions"] - nothing) / pages),
                       "written": spent["swap0_bytes_written"] / 4096 / pages,
                       "read": spent["swap0_bytes_read"] / 4096 / pages,
                       "requests": (spent["swap0_reads"] + spent["swap0_writes"]) / pages}
    return found


def measure_linux():
    guest_bench.get_linux()
    initramfs = "build/bench/paging.cpio"
    modules = {f"{name}.ko": guest_bench.contents(guest_bench.module(name)) for name in guest_bench.MODULES}
    init = sort_bench.LINUX_INIT.format(modules=" ".join(guest_bench.MODULES), job=LINUX_JOB)
    guest_bench.write_initramfs(initramfs, init.encode(), modules, {"pagebench": guest_bench.contents(PROGRAM)})
    with open(sort_bench.SWAP, "wb") as file:
        file.truncate(SWAP_MIB << 20)
    lines, marks = counted.run_marks(
        [*guest_bench.QEMU, "-m", LINUX_MEMORY, "-kernel", guest_bench.VMLINUZ, "-initrd", initramfs, "-append",
         guest_bench.LINUX_OPTIONS, "-serial", "stdio", *sort_bench.disk("swap0", sort_bench.SWAP)], TIMEOUT)
    os.remove(sort_bench.SWAP)
    return rows(lines, marks, "Linux")


def measure_quire():
    lines, marks = counted.run_marks(["build/quire", "boot", "--memory", QUIRE_MEMORY, "--swap", f"{SWAP_MIB}M",
                                      "--timeout", str(TIMEOUT), "--", PROGRAM], TIMEOUT + 10)
    return rows(lines, marks, "the reference kernel")


def measure():
    """{system: {row: figures for each page}}"""
    os.makedirs(counted.DIRECTORY, exist_ok=True)
    build_program()
    return {"quire": measure_quire(), "linux": measure_linux()}


def show(figures):
    linux, quire = figures["linux"], figures["quire"]
    print(f"\nPages that go and come back: instructions for each; pages of the disk, and its requests, for each\n"
          f"{'':50}{'Linux 6.1':>12}{'Quire':>12}{'ratio':>8}{'Linux 6.1':>16}{'Quire':>16}")
    for name, text, _ in ROWS:
        one, other = linux[name], quire[name]
        disk = [f"{row['written'] + row['read']:.2f} in {row['requests']:.2f}" for row in (one, other)]
        print(f"{text:50}{one['instructions']:12,}{other['instructions']:12,}"
              f"{other['instructions'] / one['instructions']:8.2f}{disk[0]:>16}{disk[1]:>16}")
