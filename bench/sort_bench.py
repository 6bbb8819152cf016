# SPDX-License-Identifier: MIT
"""busybox sorts a text that is larger than memory, in the reference kernel and in Debian's Linux."""
import hashlib
import json
import os
import random
import re

import counted
import guest_bench

SEED = 1
MEMORY = "32M"
SWAP_MIB = 256
TEXT_MIB = 48
TEXT = "build/bench/big.txt"
SWAP = "build/bench/counted/swap"
TIMEOUT = 3600
# Linux gets a memory with which as much of it is free as in Quire, to this many KiB.
NEAR = 64
FIRST_TRY = 106 << 10
SHORTEST, LONGEST = 8, 192

LINUX_INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
mount -t devtmpfs dev /dev
for name in {modules}; do
    insmod /$name.ko
    rm /$name.ko
done
{job}
poweroff -f
"""
LINUX_SORT = """mkswap /dev/vdb
swapon /dev/vdb
echo 3 >/proc/sys/vm/drop_caches
cat /proc/meminfo
{sort}
grep ^pswp /proc/vmstat"""
SORT = """echo begin
sleep 1
busybox time -p sh -c 'sort {file} | sha256sum' 2>&1
echo end
sleep 1"""


def make_text(size):
    """Lines of letters, of mixed lengths. `size` is a multiple of 4096: it will be a disk of Linux, which
    then reads whole pages."""
    letters = b" etaoinshrdlucmfwypvbgkjqxz"
    source = random.Random(SEED)
    text = bytearray(source.randbytes(size).translate(bytes(letters[i * 27 >> 8] for i in range(256))))
    end = -1
    while end < size:
        end += source.randint(SHORTEST, LONGEST) + 1
        text[min(end, size - 1)] = ord("\n")
    return bytes(text)


def answer(text):
    """What sha256sum must say."""
    lines = sorted(text.splitlines(keepends=True))
    return hashlib.sha256(b"".join(lines)).hexdigest()


def number(lines, pattern):
    found = re.search(pattern, "\n".join(lines), re.M)
    if not found:
        raise SystemExit("bench: no " + pattern + " in:\n" + "\n".join(lines)[-2000:])
    return found.group(1)


def figures(lines, counts, expected, system):
    """What there is to know about a run that came to its end with the right answer."""
    if number(lines, r"^([0-9a-f]{64})  -$") != expected:
        raise SystemExit(f"bench: a wrong answer in {system}")
    return {"instructions": counts["instructions"],
            "seconds": float(number(lines, r"^real\s+([0-9.]+)$")),
            "pages_swapped_in": counts["swap0_bytes_read"] // 4096,
            "pages_swapped_out": counts["swap0_bytes_written"] // 4096,
            "swap_reads": counts["swap0_reads"],
            "swap_writes": counts["swap0_writes"],
            "text_bytes_read": counts["disk0_bytes_read"]}


# ---- Linux ----

def disk(name, file):
    return ["-drive", f"file={file},if=none,format=raw,id={name}", "-device",
            f"virtio-blk-pci,drive={name}"]


def run_linux(memory, job):
    """`job` in Linux, with `memory` KiB."""
    initramfs = "build/bench/sort.cpio"
    modules = {f"{name}.ko": guest_bench.contents(guest_bench.module(name))
               for name in guest_bench.MODULES}
    init = LINUX_INIT.format(modules=" ".join(guest_bench.MODULES), job=job)
    guest_bench.write_initramfs(initramfs, init.encode(), modules)
    with open(SWAP, "wb") as file:
        file.truncate(SWAP_MIB << 20)
    result = counted.run([*guest_bench.QEMU, "-m", f"size={memory}K", "-kernel", guest_bench.VMLINUZ,
                          "-initrd", initramfs, "-append", guest_bench.LINUX_OPTIONS,
                          "-serial", "stdio", *disk("disk0", TEXT), *disk("swap0", SWAP)], TIMEOUT)
    os.remove(SWAP)
    return result


def memory_line(lines, name):
    return int(number(lines, rf"^{name}:\s+(\d+) kB$"))


def fit_linux(wanted):
    """The memory with which `wanted` KiB are free in Linux, both in KiB."""
    memory, asked = FIRST_TRY, LINUX_SORT.format(sort="")
    for _ in range(8):
        has = memory_line(run_linux(memory, asked)[0], "MemFree")
        if abs(has - wanted) <= NEAR:
            return memory
        memory = (memory + wanted - has + 3) // 4 * 4
    raise SystemExit(f"bench: no memory gives Linux {wanted} KiB")


def measure_linux(wanted, expected):
    guest_bench.get_linux()
    memory = fit_linux(wanted)
    lines, counts = run_linux(memory, LINUX_SORT.format(sort=SORT.format(file="/dev/vda")))
    if not counts:
        raise SystemExit("bench: Linux didn't come to its end:\n" + "\n".join(lines)[-2000:])
    found = figures(lines, counts, expected, "Linux")
    return {"memory": memory, "free": memory_line(lines, "MemFree"),
            "mem_available": memory_line(lines, "MemAvailable"), **found,
            "pswpin": int(number(lines, r"^pswpin (\d+)")),
            "pswpout": int(number(lines, r"^pswpout (\d+)"))}


# ---- Quire ----

def measure_quire(expected):
    record = "build/bench/sort.json"
    lines, counts = counted.run(["build/quire", "boot", "--memory", MEMORY, "--swap", f"{SWAP_MIB}M",
                                 "--disk", f"{TEXT}:/big.txt:ro", "--timeout", str(TIMEOUT), "--json",
                                 record, "--", "busybox", "sh", "-c", SORT.format(file="/big.txt")],
                                TIMEOUT + 10)
    if not counts:
        raise SystemExit("bench: Quire didn't come to its end:\n" + "\n".join(lines)[-2000:])
    with open(record, encoding="utf-8") as file:
        free = json.load(file)["free_before"] * 4
    return {"memory": int(MEMORY.rstrip("M")) << 10, "free": free,
            **figures(lines, counts, expected, "Quire")}


def measure():
    """{system: its figures}, memory in KiB."""
    os.makedirs(counted.DIRECTORY, exist_ok=True)
    text = make_text(TEXT_MIB << 20)
    with open(TEXT, "wb") as file:
        file.write(text)
    expected = answer(text)
    quire = measure_quire(expected)
    return {"linux": measure_linux(quire["free"], expected), "quire": quire}
