# SPDX-License-Identifier: MIT
"""What an access costs in a process that pages itself, beside what it has to beat: a file in the page cache, and one
on a disk, a fourth of it in memory. Each figure is a process of its own; the ways take turns, and the best run counts,
since another program's work only ever adds."""
import collections
import contextlib
import os
import subprocess
import tempfile

import memory_limit
import progress
import sim_figures

PROGRAM = f"{sim_figures.BUILD}/bench/process"
SNAPSHOT = f"{sim_figures.BUILD}/bench/snapshot"
MIB = 1 << 20

Size = collections.namedtuple("Size", "mib budget accesses runs disk_mib disk_budget disk_accesses disk_runs patience snapshot")
FULL = Size(mib=512, budget=128, accesses={"read": 131072, "sequential": 131072, "uniform": 150000, "zipf": 200000,
                                           "write": 75000},
            runs=5, disk_mib=128, disk_budget=32, disk_accesses={"read": 32768, "sequential": 32768, "uniform": 20000,
                                                                 "zipf": 20000, "write": 10000},
            disk_runs=5, patience=10, snapshot=1024)
SHORT = Size(mib=128, budget=32, accesses={"read": 32768, "sequential": 32768, "uniform": 50000, "zipf": 60000,
                                           "write": 25000},
             runs=2, disk_mib=64, disk_budget=16, disk_accesses={"read": 16384, "sequential": 16384, "uniform": 8000,
                                                                 "zipf": 8000, "write": 4000},
             disk_runs=1, patience=2, snapshot=256)
IN_SEQUENCE = ("read", "sequential")
WAYS = ("mmap", "pool", "floor", "quire", "quire-64k", "quire-4k")
DISK_WAYS = ("mmap", "mmap-random", "quire", "quire-direct", "direct-64k")
LIMITED_ONLY = ("mmap", "mmap-random")
ALLOWANCE = 8  # MiB beyond the budget: the program, its tables, what Linux reads ahead
SNAPSHOT_ROUNDS = 4
WRITTEN = {"all": "each page was written since the last", "20000": "20,000 pages were", "1000": "1,000 pages were",
           "100": "100 pages were"}
SNAPSHOT_WAYS = ("quire", "fork", "floor")

Figures = collections.namedtuple("Figures", "wall cpu faults mib sum")


def run(way, pattern, path, budget, accesses, threads=1, **options):
    """Nanoseconds of wall and CPU time for an access, faults in all, MiB at most, and the sum of what was read."""
    said = subprocess.run([PROGRAM, way, pattern, path, str(budget), str(accesses), str(threads)],
                          stdout=subprocess.PIPE, text=True, check=True, **{"timeout": 300, **options})
    wall, cpu, faults, peak, total = said.stdout.split()
    return Figures(float(wall), float(cpu), int(faults), int(peak), int(total))


def best(runs, accesses):
    """Of some runs, as a dictionary; nanoseconds for a fault are of CPU."""
    cpu = min(r.cpu for r in runs)
    return {"wall": min(r.wall for r in runs), "cpu": cpu, "faults": runs[0].faults, "mib": max(r.mib for r in runs),
            "cpu_fault": cpu * accesses / runs[0].faults if runs[0].faults else None}


def check_sums(name, runs):
    """All ways must have read the same."""
    sums = {way: found[0].sum for way, found in runs.items() if found}
    if len(set(sums.values())) > 1:
        raise SystemExit(f"bench: not all ways read the same ({name}): {sums}")


def fill(file, mib):
    for _ in range(mib):
        file.write(os.urandom(MIB))
    file.flush()


# ---- a file in the page cache -------------------------------------------------------------------------

def measure_pattern(size, path, pattern, threads, steps):
    """{way: figures}"""
    name = f"{pattern}, {threads} thread{'s' if threads > 1 else ''}"
    ways = [way for way in WAYS if threads == 1 or way != "pool"]  # which has no lock
    runs = {way: [] for way in ways}
    for _ in range(size.runs):
        for way in ways:
            steps.step(name, way)
            runs[way].append(run(way, pattern, path, size.budget, size.accesses[pattern], threads))
    check_sums(name, runs)
    return name, {way: best(runs[way], size.accesses[pattern] * threads) for way in ways}


def measure_memory(size):
    """{pattern and threads: {way: figures}}"""
    steps = progress.Progress("process", size.runs * len(size.accesses) * (2 * len(WAYS) - 1))
    with os.fdopen(os.memfd_create("data", 0), "wb") as file:
        fill(file, size.mib)
        path = f"/proc/{os.getpid()}/fd/{file.fileno()}"
        found = dict(measure_pattern(size, path, pattern, threads, steps)
                     for threads in (1, 2) for pattern in size.accesses)
    steps.end()
    return found


# ---- a file on a disk ---------------------------------------------------------------------------------

def disk_file(directory, mib):
    """A file of so much on a disk; its file system. That must be one that isn't memory."""
    kind = memory_limit.file_system(directory)
    if kind in ("tmpfs", "ramfs"):
        raise memory_limit.NotPossible(f"{directory} is no disk but {kind}; set TMPDIR to a directory on one")
    file = tempfile.NamedTemporaryFile(dir=directory, prefix="quire-bench-")  # pylint: disable=consider-using-with
    fill(file, mib)
    return file, kind


def drop(file):
    """From the page cache, so that the first access reads the disk."""
    os.fsync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def disk_ways(pattern, limited):
    """Advice is of use to what is at random only, large granules to what is in sequence."""
    of_no_use = "mmap-random" if pattern in IN_SEQUENCE else "direct-64k"
    return [way for way in DISK_WAYS if (limited or way not in LIMITED_ONLY) and way != of_no_use]


def run_disk(size, way, pattern, file, enter):
    """None: it took longer than anybody waits."""
    drop(file)
    patience = size.patience if way == "mmap" and pattern not in IN_SEQUENCE else 300
    try:
        return run(way, pattern, file.name, size.disk_budget, size.disk_accesses[pattern], preexec_fn=enter,
                   timeout=patience)
    except subprocess.TimeoutExpired:
        return None


def measure_disk_pattern(size, pattern, file, enter, steps):
    """{way: figures}; {"longer": nanoseconds} where that is all that is known."""
    accesses = size.disk_accesses[pattern]
    runs = {way: [] for way in disk_ways(pattern, enter is not None)}
    given_up = set()
    for _ in range(size.disk_runs):
        for way, found in runs.items():
            steps.step(f"{pattern}, on disk", way)
            figures = None if way in given_up else run_disk(size, way, pattern, file, enter)
            if figures:
                found.append(figures)
            else:
                given_up.add(way)
    check_sums(f"{pattern}, on disk", runs)
    return {way: best(found, accesses) if found else {"longer": size.patience * 1e9 / accesses}
            for way, found in runs.items()}


@contextlib.contextmanager
def limit_or_why(size):
    """What enters the cgroup and None; or None and why there is no cgroup."""
    with contextlib.ExitStack() as stack:
        try:
            entered = stack.enter_context(memory_limit.limited((size.disk_budget + ALLOWANCE) * MIB)), None
        except memory_limit.NotPossible as reason:
            entered = None, str(reason)
        yield entered


def measure_disk(size):
    directory = os.environ.get("TMPDIR", "build/bench")
    os.makedirs(directory, exist_ok=True)
    try:
        file, kind = disk_file(directory, size.disk_mib)
    except memory_limit.NotPossible as reason:
        return {"why": str(reason), "accesses": {}}
    with file, limit_or_why(size) as (enter, why):
        total = size.disk_runs * sum(len(disk_ways(pattern, enter is not None)) for pattern in size.disk_accesses)
        steps = progress.Progress("process", total)
        found = {pattern: measure_disk_pattern(size, pattern, file, enter, steps) for pattern in size.disk_accesses}
        steps.end()
    return {"file_system": kind, "why": why, "accesses": found}


# ---- snapshots ----------------------------------------------------------------------------------------

def snapshots(size):
    """{what was written: {way: milliseconds of it, of its end, microseconds of a first write after it, milliseconds of it
    on the wall}}."""
    counts = [written for written in WRITTEN if written == "all" or int(written) <= size.snapshot << 5]  # copies need room
    steps = progress.Progress("process", len(SNAPSHOT_WAYS) * len(counts))

    def one(way, written):
        steps.step("snapshots", f"{way}, {written}")
        said = subprocess.run([SNAPSHOT, way, str(size.snapshot), str(SNAPSHOT_ROUNDS), written],
                              stdout=subprocess.PIPE, text=True, check=True, timeout=300)
        return [float(word) for word in said.stdout.split()]
    found = {written: {way: one(way, written) for way in SNAPSHOT_WAYS} for written in counts}
    steps.end()
    return found


def measure(short):
    sim_figures.build("bench/process", "bench/snapshot")
    size = SHORT if short else FULL
    return {"size": size._asdict(), "accesses": measure_memory(size), "disk": measure_disk(size),
            "snapshots": snapshots(size)}


# ---- tables -------------------------------------------------------------------------------------------

def table(title, columns, rows, width=18):
    print(f"\n{title}\n" + " " * 24 + "".join(f"{column:>{width}}" for column in columns))
    for name, cells in rows:
        print(f"{name:24}" + "".join(f"{cell:>{width}}" for cell in cells))


def ratio(ways, key, way, of):
    return f"{ways[way][key] / ways[of][key]:.2f}" if ways.get(of, {}).get(key) else "-"


def show_memory(size, figures):
    where = f"A file of {size['mib']} MiB in the page cache, {size['budget']} MiB of it in memory (mmap: all)"
    table(f"{where}: nanoseconds of CPU (wall) for an access, or in \"read\" a page", (*WAYS, "64k/mmap"),
          [(name, [f"{ways[way]['cpu']:,.0f} ({ways[way]['wall']:,.0f})" if way in ways else "-" for way in WAYS]
            + [ratio(ways, "cpu", "quire-64k", "mmap") if name.startswith(IN_SEQUENCE) else "-"])
           for name, ways in figures.items()])
    table("The same: nanoseconds of CPU for a fault (faults in all); pool: a miss", (*WAYS, "4k/floor"),
          [(name, [f"{ways[way]['cpu_fault']:,.0f} ({ways[way]['faults']:,})" if way in ways else "-" for way in WAYS]
            + [ratio(ways, "cpu_fault", "quire-4k", "floor")]) for name, ways in figures.items()])
    print(f"RSS of a process on Quire: {max(ways['quire']['mib'] for ways in figures.values())} MiB at most")


def disk_cell(found):
    if not found:
        return "-"
    if "longer" in found:
        return f"over {found['longer'] / 1e3:,.0f}"
    return f"{found['wall'] / 1e3:,.1f} ({found['cpu'] / 1e3:,.1f})"


def disk_ratios(name, ways):
    """Of Quire, and of it without the page cache, in sequence by 64 KiB, to the better mmap."""
    direct, of = ("direct-64k", "mmap") if name in IN_SEQUENCE else ("quire-direct", "mmap-random")
    return [ratio(ways, "wall", "quire", of), ratio(ways, "wall", direct, of)]


def show_disk(size, disk):
    if disk["accesses"]:
        table(f"A file of {size['disk_mib']} MiB on a disk ({disk['file_system']}), none of it in the page cache, each process in "
              f"a memory cgroup of {size['disk_budget'] + ALLOWANCE} MiB,\nQuire's budget {size['disk_budget']}: microseconds "
              "of wall (CPU) time for an access", (*DISK_WAYS, "quire/mmap", "direct/mmap"),
              [(name, [disk_cell(ways.get(way)) for way in DISK_WAYS] + disk_ratios(name, ways))
               for name, ways in disk["accesses"].items()])
    if disk["why"]:
        print(("mmap under a limit is not here, and no process has one: " if disk["accesses"]
               else "\nNo accesses on a disk: ") + disk["why"])


def show_snapshots(size, figures):
    print(f"\nA snapshot of {size['snapshot']} MiB that are in memory: milliseconds of CPU, wall (of its end; microseconds of "
          f"the first write to a page after it)\n{'':40}{'quire_snapshot':>30}{'fork':>30}{'write protection':>30}")
    for written, ways in figures.items():
        cells = [f"{ways[way][0]:.2f}, {ways[way][3]:.2f}" + (f" ({ways[way][1]:.2f}; {ways[way][2]:.1f})" if way != "floor" else "")
                 for way in SNAPSHOT_WAYS]
        print(f"{WRITTEN[written]:40}" + "".join(f"{cell:>30}" for cell in cells))


def show(measured):
    show_memory(measured["size"], measured["accesses"])
    show_disk(measured["size"], measured["disk"])
    show_snapshots(measured["size"], measured["snapshots"])
