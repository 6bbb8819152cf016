# SPDX-License-Identifier: MIT
"""The programs of ./dev bench process, with files so small that they take no time: each way reads and writes the same,
and the tables are printed to their end. Figures mean nothing here."""
import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tempfile

from parts import unit

sys.path.insert(0, "bench")
import memory_limit  # noqa: E402  pylint: disable=wrong-import-position
import process_bench  # noqa: E402  pylint: disable=wrong-import-position
import progress  # noqa: E402  pylint: disable=wrong-import-position

PROGRAM = "build/bench/process"
SNAPSHOT = "build/bench/snapshot"
MIB = 1 << 20
PAGES = 4 * MIB // 4096
WAYS = sorted(set(process_bench.WAYS + process_bench.DISK_WAYS))
TINY = process_bench.Size(mib=4, budget=1, accesses={pattern: 2000 for pattern in process_bench.FULL.accesses}, runs=1,
                          disk_mib=4, disk_budget=1, disk_accesses={pattern: 1000 for pattern in process_bench.FULL.accesses},
                          disk_runs=1, patience=60, snapshot=32)


def data_file(directory):
    path = os.path.join(directory, "data")
    with open(path, "wb") as file:
        file.write(os.urandom(4 * MIB))
    return path


def can_be_direct(directory):
    """Not every file system can."""
    try:
        os.close(os.open(data_file(directory), os.O_RDWR | os.O_DIRECT))
        return True
    except OSError as error:
        print(f"    nothing direct: {directory}: {error.strerror}")
        return False


def read_by(report, way, pattern, path, threads):
    """The sum of what was read."""
    done = subprocess.run([PROGRAM, way, pattern, path, "1", "2000", str(threads)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    words = done.stdout.split()
    good = report.check(f"bench process {way} {pattern}, {threads} threads", done.returncode == 0 and len(words) == 5
                        and float(words[0]) > 0 and int(words[2]) > 0, done.stdout)
    return int(words[4]) if good else None


def check_reads(report, ways, path):
    for pattern in ("read", "sequential", "uniform", "zipf"):
        for threads in (1, 2):
            sums = {way: read_by(report, way, pattern, path, threads) for way in ways if threads == 1 or way != "pool"}
            report.check(f"each way reads the same: {pattern}, {threads} threads", len(set(sums.values())) == 1, str(sums))


def check_sum(report, path):
    """That of all words, which is what "read" of each page once must say."""
    with open(path, "rb") as file:
        words = memoryview(file.read()).cast("Q")
    said = subprocess.run([PROGRAM, "quire", "read", path, "1", str(PAGES)], stdout=subprocess.PIPE, text=True,
                          timeout=60, check=False).stdout
    report.check("each word was read", said.split()[4:] == [str(sum(words) % (1 << 64))], said)


def check_writes(report, ways, path):
    """What each way has written to copies of the same file."""
    with open(path, "rb") as file:
        before = file.read()
    found = {}
    for way in ways:
        with open(path, "wb") as file:
            file.write(before)
        read_by(report, way, "write", path, 1)
        with open(path, "rb") as file:
            found[way] = hashlib.sha256(file.read()).hexdigest()
    report.check("each way writes the same", len(set(found.values())) == 1 and
                 hashlib.sha256(before).hexdigest() not in found.values(), str(found))


def check_refusals(report, path):
    with tempfile.NamedTemporaryFile() as odd:
        odd.write(b"x" * 5000)
        odd.flush()
        for words, said in [(("tape", "read", path, "1", "1"), "no such way"), (("mmap", "up", path, "1", "1"), "no such pattern"),
                            (("mmap", "read", "/is/not/there", "1", "1"), "No such file"),
                            (("mmap", "read", odd.name, "1", "1"), "not whole pages"),
                            (("mmap", "read", path, "0", "1"), "not a number"), (("mmap", "read", path, "1", "x"), "not a number"),
                            (("mmap", "read", path, "1", "1", "17"), "too many threads"),
                            (("pool", "read", path, "1", "1", "2"), "too many threads"), (("mmap", "read", path), "usage")]:
            done = subprocess.run([PROGRAM, *words], stderr=subprocess.PIPE, text=True, timeout=60, check=False)
            report.check(f"bench process {' '.join(words)}", done.returncode == 1 and said in done.stderr, done.stderr)


def check_limit(report):
    try:
        with memory_limit.limited(64 * MIB) as enter:
            done = subprocess.run(["sh", "-c", "cat /proc/self/cgroup"], stdout=subprocess.PIPE, text=True, preexec_fn=enter,
                                  timeout=60, check=False)
            group = f"quire-bench-{os.getpid()}"
            report.check("a program in a memory cgroup", group in done.stdout, done.stdout)
        left = [place for place, *_ in memory_limit.parents() if os.path.exists(os.path.join(place, group))]
        report.check("which is removed again", not left, str(left))
    except memory_limit.NotPossible as reason:
        print(f"    no memory cgroup: {reason}")
    report.check("what has no limit says so", why_there_is_none() != "")
    report.check("/proc is no disk", memory_limit.file_system("/proc/self") == "proc")


def why_there_is_none():
    """Where nothing is mounted."""
    mounted, memory_limit.mounts = memory_limit.mounts, lambda: []
    try:
        memory_limit.make(MIB)
    except memory_limit.NotPossible as reason:
        return str(reason)
    finally:
        memory_limit.mounts = mounted
    return ""


def check_tables(report):
    """All of it as ./dev bench process does it."""
    process_bench.PROGRAM, process_bench.SNAPSHOT = PROGRAM, SNAPSHOT
    said, steps = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(steps):
        process_bench.show({"size": TINY._asdict(), "accesses": process_bench.measure_memory(TINY),
                            "disk": process_bench.measure_disk(TINY), "snapshots": process_bench.snapshots(TINY)})
    lines = said.getvalue().splitlines()
    for row, times in (("read, 1 thread", 2), ("write, 2 threads", 2), ("each page was written", 1), ("RSS", 1)):
        report.check(f"rows of the tables: {row}", sum(line.startswith(row) for line in lines) == times, said.getvalue())
    report.check("a table of the disk, or why there is none", any(line.startswith("uniform  ") for line in lines)
                 or "No accesses on a disk" in said.getvalue(), said.getvalue())
    report.check("a line for each pattern meanwhile", sum("2 threads" in line for line in steps.getvalue().splitlines()) == 5,
                 steps.getvalue())


def check_longer(report):
    """A figure that nobody has waited for."""
    cells = [process_bench.disk_cell(found) for found in (None, {"longer": 5e6}, {"wall": 1500, "cpu": 250})]
    report.check("figures of a disk", cells == ["-", "over 5,000", "1.5 (0.2)"], str(cells))


def check_progress(report):
    class Terminal(io.StringIO):
        def isatty(self):
            return True
    seen = Terminal()
    with contextlib.redirect_stderr(seen):
        steps = progress.Progress("part", 2)
        steps.step("one", "a")
        steps.step("one", "b")
        steps.end()
    report.check("progress on a terminal is one line", "\n" not in seen.getvalue() and "part: one b (1/2" in seen.getvalue()
                 and seen.getvalue().endswith("\033[K"), seen.getvalue())


def run(report):
    if not unit.build_in(report, "build", targets=("bench/process", "bench/snapshot")):
        return
    with tempfile.TemporaryDirectory(dir="build") as directory:
        ways = [way for way in WAYS if "direct" not in way or can_be_direct(directory)]
        path = data_file(directory)
        check_sum(report, path)
        check_reads(report, ways, path)
        check_writes(report, ways, path)
        check_refusals(report, path)
    check_limit(report)
    check_tables(report)
    check_longer(report)
    check_progress(report)
