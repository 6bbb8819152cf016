# SPDX-License-Identifier: MIT
"""What an access costs in a process that pages itself, beside what it has to beat: a file in the page cache, a
fourth of it in memory. Each figure is a process of its own; the ways take turns, and the best run counts, since
another program's work only ever adds."""
import subprocess

import sim_figures

PROGRAM = f"{sim_figures.BUILD}/bench/process"
SNAPSHOT = f"{sim_figures.BUILD}/bench/snapshot"
SNAPSHOT_MIB, SNAPSHOT_ROUNDS = 1024, 4
WRITTEN = {"all": "each page was written since the last", "some": "1,000 pages were"}
MIB, BUDGET = 512, 128
PATTERNS = {"sequential": 131072, "uniform": 300000, "zipf": 300000, "write": 150000}
WAYS = ("mmap", "pool", "floor", "quire", "quire-4k")
RUNS, SHORT_RUNS = 7, 3


def run(way, pattern, threads):
    """(nanoseconds of wall time, of CPU time, faults, MiB) for an access."""
    said = subprocess.run([PROGRAM, way, pattern, str(MIB), str(BUDGET), str(PATTERNS[pattern]),
                           str(threads)], stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    wall, cpu, faults, peak = said.stdout.split()
    return float(wall), float(cpu), int(faults), int(peak)


def snapshots():
    """{what was written: {way: milliseconds of it, of its end, microseconds of a first write after it}}."""
    def one(way, written):
        said = subprocess.run([SNAPSHOT, way, str(SNAPSHOT_MIB), str(SNAPSHOT_ROUNDS), written],
                              stdout=subprocess.PIPE, text=True, check=True, timeout=300)
        return [float(word) for word in said.stdout.split()]
    return {written: {way: one(way, written) for way in ("quire", "fork")} for written in WRITTEN}


def best(runs):
    return {"wall": min(r[0] for r in runs), "cpu": min(r[1] for r in runs), "faults": runs[0][2],
            "mib": max(r[3] for r in runs)}


def measure(short):
    sim_figures.build("bench/process", "bench/snapshot")
    figures = {}
    for threads in (1, 2):
        for pattern in PATTERNS:
            ways = [way for way in WAYS if threads == 1 or way != "pool"]  # which has no lock
            runs = {way: [] for way in ways}
            for _ in range(SHORT_RUNS if short else RUNS):
                for way in ways:
                    runs[way].append(run(way, pattern, threads))
            figures[f"{pattern}, {threads} thread{'s' if threads > 1 else ''}"] = {
                way: best(runs[way]) for way in ways}
    return {"accesses": figures, "snapshots": snapshots()}


def show_snapshots(figures):
    print(f"\nA snapshot of {SNAPSHOT_MIB} MiB that are in memory: milliseconds of CPU (of its end; microseconds of the "
          f"first write to a page after it)\n{'':40}{'quire_snapshot':>26}{'fork':>26}")
    for written, ways in figures.items():
        cells = [f"{taken:.2f} ({ended:.2f}; {write:.1f})" for taken, ended, write in ways.values()]
        print(f"{WRITTEN[written]:40}" + "".join(f"{cell:>26}" for cell in cells))


def show(measured):
    figures = measured["accesses"]
    print(f"\nA file of {MIB} MiB, {BUDGET} MiB of it in memory: nanoseconds of CPU (wall) for an access, by the "
          "process that has it\n" + " " * 24 + "".join(f"{way:>18}" for way in WAYS) + f"{'4k/floor':>10}")
    for name, ways in figures.items():
        cells = [f"{ways[way]['cpu']:,.0f} ({ways[way]['wall']:,.0f})" if way in ways else "-" for way in WAYS]
        print(f"{name:24}" + "".join(f"{cell:>18}" for cell in cells)
              + f"{ways['quire-4k']['cpu'] / ways['floor']['cpu']:10.2f}")
    peak = max(ways["quire"]["mib"] for ways in figures.values())
    print(f"RSS of a process on Quire: {peak} MiB at most\n"
          "mmap below a limit of memory is not here: the file is in memory, and Linux would need swap to take it out")
    show_snapshots(measured["snapshots"])
