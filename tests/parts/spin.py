# SPDX-License-Identifier: MIT
"""The models of tests/spin: complete searches, which must find nothing, and the same models with a
defect each, which must be found."""
import concurrent.futures
import glob
import os
import re
import subprocess
import time

# Threads that fault, and which others there are (see tests/spin/README.md).
SEARCHES = [
    ("shootdown", "unmap, evict, hold", "FAULTS=1 UNMAP EVICT HOLD"),
    ("shootdown", "two faults, unmap, evict", "FAULTS=2 UNMAP EVICT"),
    ("shootdown", "a frame more", "FAULTS=1 UNMAP EVICT FRAMES=4"),
    ("shootdown", "CPUs enter and leave", "FAULTS=1 UNMAP EVICT ENTER"),
    ("shootdown", "write-back, protection", "FAULTS=1 UNMAP WRITEBACK PROTECT"),
    ("busy", "three readers", "READERS=3 READS=1 TRUNCATE"),
    ("busy", "two reads each", "READERS=2 READS=2 TRUNCATE DISCARD"),
    ("busy", "write-back", "READERS=2 READS=1 WRITEBACK DISCARD"),
    ("busy", "waits that end early", "READERS=2 READS=1 TRUNCATE EARLY"),
    ("evict", "fork, discard, exit", "OPS=2 BATCHES=2"),
    ("evict", "more operations", "OPS=3 BATCHES=1"),
    ("evict", "two reclaimers", "OPS=2 BATCHES=1 RECLAIMERS=2"),
]
# Nobody goes round for ever: there is no cycle at all.
CYCLES = [
    ("busy", "no cycle, truncation", "READERS=2 READS=1 TRUNCATE"),
    ("busy", "no cycle, write-back", "READERS=2 READS=1 WRITEBACK DISCARD"),
]
LIFETIMES = "FAULTS=1 UNMAP EVICT"
WRITES = "FAULTS=1 UNMAP WRITEBACK"
READS = "READERS=2 READS=1 TRUNCATE"
DEFECTS = {
    "shootdown": {
        "NO_FLUSH": LIFETIMES, "NO_WAIT": LIFETIMES, "COUNT_BEFORE_FLUSH": LIFETIMES,
        "NO_SECOND_FLUSH": LIFETIMES, "FREE_MAPPED": LIFETIMES, "UNUSE_NOT_ATOMIC": LIFETIMES,
        "ORPHAN_NOT_ATOMIC": LIFETIMES, "REPLACE_NO_FLUSH": LIFETIMES, "LOCK_ORDER": LIFETIMES,
        "ENTER_LATE": LIFETIMES + " ENTER", "HARVEST_EARLY": WRITES, "CHANGE_NO_FLUSH": WRITES,
        "REPLACE_LOSES_DIRTY": WRITES,
    },
    "busy": dict.fromkeys(
        ("WAIT_IN_TWO_STEPS", "WAKE_ONE", "NOT_ANNOUNCED", "ANNOUNCED_LATE", "WAKE_BEFORE_CLEAR",
         "REMOVE_BEFORE_CLEAR", "BUSY_AFTER_ERROR", "FAILED_STAYS", "NO_RECHECK",
         "TRUNCATE_AT_ONCE"), READS),
}
SWAPS = "OPS=2 BATCHES=2"
DEFECTS["evict"] = {
    **dict.fromkeys(
        ("BUSY_KEEPS", "COUNT_SEEN_BEFORE", "DECIDE_FIRST", "DIRTY_LOST", "FAILED_GOES",
         "MAPPED_GOES", "MERGE_MISSED", "NO_BARRIER", "NO_FLUSH", "NO_RECHECK", "NO_TRY",
         "OLD_HOLDER", "ONE_TRY"), SWAPS),
    **dict.fromkeys(("FATE_FORGOTTEN", "MERGE_BUSY"), "OPS=3 BATCHES=1"),
    "NO_HOME": "OPS=5 BATCHES=1", "NOT_BUSY": "OPS=3 BATCHES=2",
}
CYCLE_DEFECTS = {"busy": {"NO_SLEEP": READS}}

DEEPEST = 4000000  # steps; a search that needs more says so, and isn't complete
MEMORY = 4000  # MiB of one search; there are two at a time


class Search:
    """One search of one model with these options, for errors or for cycles."""

    def __init__(self, model, name, options, cycles=False, optimized=True):
        self.model, self.name, self.options, self.cycles = model, name, options.split(), cycles
        self.optimized = optimized  # what ends soon isn't worth the compiler's time
        self.text, self.seconds = "", 0.0

    def build(self, directory):
        os.makedirs(directory, exist_ok=True)
        model = os.path.abspath(f"tests/spin/{self.model}.pml")
        kind = ["-DNP", "-DNOFAIR"] if self.cycles else ["-DSAFETY"]
        subprocess.run(["spin", *(f"-D{option}" for option in self.options), "-a", model],
                       cwd=directory, check=True, stdout=subprocess.PIPE)
        level = "-O2" if self.optimized else "-O0"
        subprocess.run(["gcc", level, "-w", *kind, "-DCOLLAPSE", f"-DMEMLIM={MEMORY}", "-o", "pan",
                        "pan.c"], cwd=directory, check=True)

    def run(self, limit):
        directory = os.path.join("build", "spin", re.sub(r"\W+", "-", f"{self.model} {self.name}"))
        self.build(directory)
        started = time.monotonic()
        try:
            done = subprocess.run(["./pan", *(["-l"] if self.cycles else []), f"-m{DEEPEST}", "-n"],
                                  cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, check=False, timeout=limit)
            self.text = done.stdout
        except subprocess.TimeoutExpired:
            self.text = f"still running after {limit} seconds"
        self.seconds = time.monotonic() - started
        return self

    def figure(self, pattern):
        found = re.search(pattern, self.text)
        return int(found.group(1)) if found else 0

    def errors(self):
        return self.figure(r"errors: (\d+)")

    def is_complete(self):
        """It came to its end, everywhere, and without an error."""
        return ("errors: 0" in self.text and "not completed" not in self.text
                and "max search depth too small" not in self.text)

    def verdict(self):
        found = re.search(r"pan:1: (assertion violated|invalid end state|non-progress cycle)",
                          self.text)
        return found.group(1) if found else "nothing found" if self.is_complete() else "not complete"

    def line(self):
        states = self.figure(r"(\d+) states, stored")
        depth = self.figure(r"depth reached (\d+)")
        return (f"  {self.model:9} {self.name:26} {states:11,} states  depth {depth:9,} "
                f"{self.seconds:7.1f} s  {self.verdict()}")


def run_two_at_a_time(searches, limit):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for search in pool.map(lambda one: one.run(limit), searches):
            print(search.line(), flush=True)
            yield search


def complete_searches():
    return ([Search(*one) for one in SEARCHES]
            + [Search(*one, cycles=True) for one in CYCLES])


def defect_searches():
    return [Search(model, f"BUG_{defect}", f"{options} BUG_{defect}", cycles, False)
            for table, cycles in ((DEFECTS, False), (CYCLE_DEFECTS, True))
            for model, defects in table.items() for defect, options in defects.items()]


def check_names(report):
    """The steps that comments in the core name are there in the models."""
    missing = []
    for source in glob.glob("vm/**/*.c", recursive=True):
        with open(source, encoding="utf-8") as file:
            named = re.findall(r"(\w+)\.pml: ([a-z_, ]+)", file.read())
        for model, steps in named:
            with open(f"tests/spin/{model}.pml", encoding="utf-8") as file:
                words = set(re.findall(r"\w+", file.read()))
            missing += [f"{source}: {model}.pml: {step}" for step in re.findall(r"\w+", steps)
                        if step not in words and step != "in"]
    report.check("steps that the core names", not missing, "\n".join(missing))


def run(report, seconds):
    """A search that is cut short proves nothing, so each gets ten minutes however few are asked for."""
    limit = max(seconds, 600)
    check_names(report)
    for search in run_two_at_a_time(complete_searches(), limit):
        report.check(f"{search.model}: {search.name}", search.is_complete(), search.text[-2500:])
    for search in run_two_at_a_time(defect_searches(), limit):
        report.check(f"{search.model}: {search.name} is found", search.errors() > 0,
                     search.text[-2500:])
