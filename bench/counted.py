# SPDX-License-Identifier: MIT
"""A machine whose instructions and disk requests are read between two lines that its program prints.

QEMU counts the instructions (-icount) and its monitor tells how many there were. The program sleeps
for a second after it has printed "begin" and "end": the figures are read while it does nothing."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import guest_bench

DIRECTORY = "build/bench/counted"
SOCKET = os.path.join(DIRECTORY, "monitor")
# While the processor waits the machine's clock goes with the host's: with sleep=off it would
# jump to the next timer, wherever that is, each time somebody waits for a disk.
COUNTING = ["-icount", "shift=0,sleep=on", *guest_bench.CLOCK,
            "-qmp", f"unix:{SOCKET},server=on,wait=off"]


def make_wrapper():
    """A directory for PATH in which QEMU is one that counts, whoever starts it."""
    os.makedirs(DIRECTORY, exist_ok=True)
    name = os.path.join(DIRECTORY, "qemu-system-x86_64")
    qemu = shutil.which("qemu-system-x86_64")
    with open(name, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nexec {qemu} \"$@\" {' '.join(COUNTING)}\n")
    os.chmod(name, 0o755)
    return DIRECTORY


class Monitor:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(SOCKET)
        self.file = self.socket.makefile("rw", encoding="utf-8")
        self.file.readline()
        self.ask("qmp_capabilities")

    def ask(self, command):
        self.file.write(json.dumps({"execute": command}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise SystemExit(f"bench: QEMU's monitor: {answer['error']['desc']}")

    def read(self):
        """{figure: value}: instructions, and bytes and requests of each disk."""
        figures = {"instructions": self.ask("query-replay")["icount"]}
        for disk in self.ask("query-blockstats"):
            for key, name in (("rd_bytes", "bytes_read"), ("wr_bytes", "bytes_written"),
                              ("rd_operations", "reads"), ("wr_operations", "writes")):
                figures[f"{disk['device']}_{name}"] = disk["stats"][key]
        return figures

    def close(self):
        self.file.close()
        self.socket.close()


def read_quietly():
    time.sleep(0.3)
    monitor = Monitor()
    figures = monitor.read()
    monitor.close()
    return figures


def follow(process, mark_of):
    """All lines of the program, and the figures at its marks: the lines that `mark_of` has a name for."""
    lines, marks = [], {}
    for line in process.stdout:
        lines.append(line.rstrip())
        name = mark_of(lines[-1], marks)
        if name:
            marks[name] = read_quietly()
    return lines, marks


def run_until_end(arguments, timeout, mark_of):
    path = f"{make_wrapper()}:{os.environ['PATH']}"
    # A pipe that nobody writes to: the end of input would be an event, too.
    silent, held = os.pipe()
    with subprocess.Popen(arguments, stdin=silent, stdout=subprocess.PIPE, text=True,
                          errors="replace", start_new_session=True,
                          env={**os.environ, "PATH": path, "TMPDIR": DIRECTORY}) as process:
        previous = signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.alarm(timeout)
        lines, marks = follow(process, mark_of)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    os.close(silent)
    os.close(held)
    return lines, marks


def run(arguments, timeout):
    """The lines that it printed, and the figures of what was between "begin" and "end", if it made them."""
    lines, marks = run_until_end(arguments, timeout,
                                 lambda line, _: line if line in ("begin", "end") else None)
    if len(marks) < 2:
        return lines, {}
    return lines, {name: value - marks["begin"].get(name, 0) for name, value in marks["end"].items()}


def run_marks(arguments, timeout):
    """The lines, and {name: figures} at each "mark NAME". The first "begin" is "begin of nothing"."""
    def mark_of(line, marks):
        name = line[len("mark "):] if line.startswith("mark ") else None
        return "begin of nothing" if name == "begin" and not marks else name

    return run_until_end(arguments, timeout, mark_of)
