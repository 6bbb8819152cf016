# SPDX-License-Identifier: MIT
"""The core's own work on the simulated machine, among 10, 1,000 and 100,000 regions."""
import glob
import os
import re
import subprocess
import tempfile

BUILD = "build/bench-sim"
PROGRAM = f"{BUILD}/bench/sim-bench"
SIZES = (10, 1000, 100000)


def run(arguments):
    return subprocess.run(arguments, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True).stdout


def build(*targets):
    if not os.path.exists(f"{BUILD}/build.ninja"):
        run(["meson", "setup", BUILD, "-Dkernel=false", "-Dbuildtype=release"])
    run(["ninja", "-C", BUILD, *targets])


def rows(text):
    return {name: float(value) for name, value in re.findall(r"^(.+): ([\d.]+)$", text, re.M)}


def instructions(size):
    """{operation: instructions of one}: callgrind dumps the sum of each by its name."""
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "dump")
        counts = rows(run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", PROGRAM,
                           str(size)]))
        sums = {}
        for name in glob.glob(out + ".*"):
            with open(name, encoding="utf-8") as file:
                text = file.read()
            trigger = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.M)
            total = re.search(r"^summary: (\d+)$", text, re.M)
            if trigger and total:
                sums[trigger.group(1)] = int(total.group(1))
    return {name: sums[name] / count for name, count in counts.items()}


def measure():
    """[(operation, [ns by size], [instructions by size])]"""
    build("bench/sim-bench")
    times = [rows(run([PROGRAM, str(size)])) for size in SIZES]
    counts = [instructions(size) for size in SIZES]
    return [(name, [time[name] for time in times], [count[name] for count in counts])
            for name in times[0]]
