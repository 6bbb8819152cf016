# SPDX-License-Identifier: MIT
"""What the tests reach of the core, and of vspace/: lines, branches, and conditions by MC/DC (whether each
condition of a decision has been seen to decide it by itself). Both are built as the simulator builds them.

A branch that isn't reached needs its reason in tests/coverage/unreached.txt, and no figure may fall
below tests/coverage/minimum.txt."""
import concurrent.futures
import glob
import json
import os
import re
import subprocess

from parts.unit import build_in

DIRECTORY = "build/coverage"
# Scenarios that reach something only when two are stopped, each at one place.
RARE = ("owners-exit-together",)
MANY_RUNS = 10000
# What is measured: its objects, and whatever has inline functions of its headers.
OBJECTS = {"vm/": (DIRECTORY + "/host/sim/libquire-sim.a.p/.._.._vm_*.o", DIRECTORY + "/tests/unit/*.p/*.o"),
           "vspace/": (DIRECTORY + "/vspace/libquire-vspace-sim.a.p/*.o",)}
UNREACHED = "tests/coverage/unreached.txt"
MINIMUM = "tests/coverage/minimum.txt"
FLAGS = "-fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc"
FIGURES = ("lines", "branches", "conditions")
LEAST = {"lines": 98.0, "branches": 95.0, "conditions": 0.0}
ASSERTION = re.compile(r"\bVM_(DEBUG_)?ASSERT\(")
EXPANSION = 1  # the kind of a region that stands for a macro's text


# ---- building and running --------------------------------------------------------------------------

def build(report):
    # clang warns of decisions that MC/DC can't measure; outside of the core there are some.
    return (build_in(report, DIRECTORY, "-Dkernel=false", "-Dwerror=false", "-Dbuildtype=plain",
                     f"-Dc_args=-O1 -g {FLAGS}", "-Dc_link_args=-fprofile-instr-generate",
                     compiler="clang-19")
            # Objects of files that are gone would count, too.
            and report.command("no objects of before", ["ninja", "-C", DIRECTORY, "-t", "cleandead"]))


def programs():
    """(name, command) of each program that counts, all of them with this build's core: meson's tests, and those of
    single scenarios. (The counters of `quire sim` go with its processes, which end at once.)"""
    listed = subprocess.run(["meson", "introspect", "--tests", DIRECTORY], stdout=subprocess.PIPE,
                            text=True, check=True)
    scenarios = [(f"scenario {name}", ["env", f"QUIRE_SCENARIO={name}", f"QUIRE_RUNS={MANY_RUNS}",
                                       DIRECTORY + "/tests/torture/test_scenarios"])
                 for name in RARE]
    return [(test["name"], test["cmd"]) for test in json.loads(listed.stdout)] + scenarios


def run_program(name, command):
    """The program's output where it failed. Each process has a file of counters of its own."""
    profile = os.path.join(DIRECTORY, "profiles", name.replace(" ", "_") + "-%p.profraw")
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=600, check=False,
                              env={**os.environ, "LLVM_PROFILE_FILE": os.path.abspath(profile)})
    except subprocess.TimeoutExpired:
        return "still running after 600 seconds"
    return done.stdout[-2500:] if done.returncode != 0 else ""


def run_programs(report):
    """The files of counters, none of an earlier run."""
    os.makedirs(os.path.join(DIRECTORY, "profiles"), exist_ok=True)
    for old in glob.glob(os.path.join(DIRECTORY, "profiles", "*")):
        os.remove(old)
    all_programs = programs()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda program: run_program(*program), all_programs))
    for (name, _), output in zip(all_programs, results):
        report.check(name, not output, output)
    return glob.glob(os.path.join(DIRECTORY, "profiles", "*.profraw"))


def export(profiles, folder, form):
    """What llvm-cov says of all of the folder's files, counters of all programs together."""
    merged = os.path.join(DIRECTORY, "merged.profdata")
    subprocess.run(["llvm-profdata-19", "merge", "-sparse", "-o", merged, *profiles], check=True)
    names = sorted(name for pattern in OBJECTS[folder] for name in glob.glob(pattern))
    objects = [word for name in names for word in ("-object", name)]
    done = subprocess.run(["llvm-cov-19", "export", f"-format={form}", "-instr-profile", merged,
                           *objects], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


# ---- sources ---------------------------------------------------------------------------------------

class Source:
    """The text of a file, by line and column, and where its assertions are: the side on which one
    fails is never taken, so they have no branches here."""

    def __init__(self, name):
        with open(name, encoding="utf-8") as file:
            self.text = file.read()
        self.starts = [0]
        for line in self.text.split("\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.assertions = [(found.start(), self.closing(found.end()))
                           for found in ASSERTION.finditer(self.text)]

    def closing(self, at):
        """Behind the bracket that closes the one before `at`."""
        depth = 1
        while depth > 0:
            depth += {"(": 1, ")": -1}.get(self.text[at], 0)
            at += 1
        return at

    def place(self, line, column):
        return self.starts[line - 1] + column - 1

    def between(self, line, column, last_line, last_column):
        text = self.text[self.place(line, column):self.place(last_line, last_column)]
        return " ".join(text.split())

    def use_of_macro(self, line, column):
        """NAME, or NAME(its first argument)."""
        start = self.place(line, column)
        end = start + len(re.match(r"\w+", self.text[start:]).group())
        if self.text[end] != "(":
            return self.text[start:end]
        closing = self.closing(end + 1)
        depth, at = 0, end + 1
        while at < closing - 1 and not (depth == 0 and self.text[at] == ","):
            depth += {"(": 1, ")": -1}.get(self.text[at], 0)
            at += 1
        return " ".join(self.text[start:at].split()) + ")"

    def asserts(self, line, column):
        place = self.place(line, column)
        return any(first <= place < last for first, last in self.assertions)


class Sources(dict):
    def __missing__(self, name):
        self[name] = Source(name)
        return self[name]


# ---- what was measured -----------------------------------------------------------------------------

def expansions(function):
    """Where each macro's text stands in the function: (file, line, column) by the number of the
    text."""
    return {region[6]: (region[5], region[0], region[1])
            for region in function["regions"] if region[7] == EXPANSION}


def outermost(where, file, line, column):
    """The place in the function itself, for what may be inside a macro."""
    while file in where:
        file, line, column = where[file]
    return file, line, column


def records(function, kind):
    """Each record of the function, the place in a file where it is, and whether a macro has it: that
    counts where it is used, each use by itself."""
    where = expansions(function)
    # A decision doesn't say which text it is of; something that begins where it begins does.
    texts = {tuple(branch[:2]): branch[6] for branch in function["branches"]}
    texts.update({tuple(region[:2]): region[5] for region in function["regions"]})
    for record in function[kind]:
        number = record[6] if kind == "branches" else texts[tuple(record[:2])]
        file, line, column = outermost(where, number, record[0], record[1])
        yield record, function["filenames"][file], line, column, number in where


class Measure:
    """Branches and conditions of a folder by place; of an inline function in a header, its uses in
    all files together."""

    def __init__(self, root, folder):
        self.root = root + "/"
        self.folder = folder
        self.sources = Sources()
        self.branches = {}  # (file, place...): [name of the function, text, taken, not taken]
        self.conditions = {}  # (file, place..., which of the decision's): whether it has decided
        self.lines = {}  # file: [covered, total]
        self.missed = []  # lines, as file:line

    def relative(self, name):
        name = os.path.normpath(os.path.join(DIRECTORY, name))
        return os.path.relpath(name, self.root) if name.startswith("/") else name

    def counts(self, file, line, column):
        return file.startswith(self.folder) and not self.sources[file].asserts(line, column)

    def add_function(self, function):
        name = function["name"].rpartition(":")[2]
        for record, file, line, column, in_macro in records(function, "branches"):
            file = self.relative(file)
            if self.counts(file, line, column):
                key = (file, line, column, *record[:4])
                text = (self.sources[file].use_of_macro(line, column) if in_macro
                        else self.sources[file].between(*record[:4]))
                branch = self.branches.setdefault(key, [name, text, 0, 0])
                branch[2] += record[4]
                branch[3] += record[5]
        for record, file, line, column, _ in records(function, "mcdc_records"):
            file = self.relative(file)
            if self.counts(file, line, column):
                for number, decided in enumerate(record[6]):
                    key = (file, line, column, *record[:4], number)
                    self.conditions[key] = self.conditions.get(key, False) or decided

    def add_lines(self, lcov):
        file = None
        for record in lcov.splitlines():
            kind, _, rest = record.partition(":")
            if kind == "SF":
                file = self.relative(rest)
            elif kind == "DA" and file.startswith(self.folder):
                line, count = rest.split(",")[:2]
                lines = self.lines.setdefault(file, [0, 0])
                lines[0] += int(count) > 0
                lines[1] += 1
                if int(count) == 0:
                    self.missed.append(f"{file}:{line}")

    def figures(self, file=None):
        """[covered, total] of lines, branches and conditions, in one file or all."""
        lines = [self.lines[name] for name in self.lines if file in (None, name)]
        branches = [count > 0 for key, branch in self.branches.items() if file in (None, key[0])
                    for count in branch[2:]]
        conditions = [decided for key, decided in self.conditions.items() if file in (None, key[0])]
        return {"lines": [sum(line[0] for line in lines), sum(line[1] for line in lines)],
                "branches": [sum(branches), len(branches)],
                "conditions": [sum(conditions), len(conditions)]}

    def unreached(self):
        """(file, function, side, text) of each branch that isn't taken, and its line."""
        for key, (name, text, taken, not_taken) in sorted(self.branches.items()):
            for side, count in (("true", taken), ("false", not_taken)):
                if count == 0:
                    yield (key[0], name, side, text), key[1]

    def undecided(self):
        """Each condition that has never decided: its number, and the decision."""
        for key, decided in sorted(self.conditions.items()):
            if not decided:
                text = self.sources[key[0]].between(*key[3:7])
                yield f"{key[0]}:{key[1]}: number {key[-1] + 1} of {text}"


def measure(profiles, folder):
    result = Measure(os.getcwd(), folder)
    for function in json.loads(export(profiles, folder, "text"))["data"][0]["functions"]:
        result.add_function(function)
    result.add_lines(export(profiles, folder, "lcov"))
    return result


# ---- what is said of it ----------------------------------------------------------------------------

def per_cent(covered, total):
    """To one decimal, and 100 only where it is all."""
    return 1000 * covered // total / 10 if total else 100.0


def row(name, figures):
    cells = [f"{covered:6}/{total:<5}{per_cent(covered, total):6.1f}" if total else f"{'-':>12}{'':6}"
             for covered, total in (figures[kind] for kind in FIGURES)]
    return (f"{name:28}" + " ".join(cells)).rstrip()


def print_table(result):
    print(f"{'':28}" + " ".join(f"{kind + ' %':>18}" for kind in FIGURES))
    for file in sorted(result.lines):
        print(row(file, result.figures(file)))
    print(row(f"all of {result.folder}", result.figures()))


def print_places(title, places):
    if places:
        print(title + ":")
    for place in places:
        print(f"    {place}")


def read_unreached():
    """{(file, function, side, text): reason}. An entry is `file: function: side: text`, and its
    reason is in the indented lines that follow."""
    entries, entry = {}, None
    with open(UNREACHED, encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("    ") and entry:
                entries[entry] = (entries[entry] + " " + line.strip()).strip()
            elif line and not line.startswith("#"):
                entry = tuple(line.split(": ", 3))
                entries[entry] = ""
    return entries


def read_minimum():
    with open(MINIMUM, encoding="utf-8") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {(folder, kind): float(value) for folder, kind, value in lines}


def check_unreached(report, results):
    reasons = read_unreached()
    unreached = [branch for result in results for branch in result.unreached()]
    unexplained = [f"{entry[0]}:{line}: {': '.join(entry[1:])}" for entry, line in unreached
                   if not reasons.get(entry)]
    print_places("branches that are not reached, for no reason given", unexplained)
    report.check("each branch is reached, or unreached.txt says why not", not unexplained,
                 f"{len(unexplained)} are neither")
    known = {entry for entry, _ in unreached}
    wrong = [": ".join(entry) for entry in reasons if entry not in known]
    report.check("what unreached.txt excuses is there, and isn't reached", not wrong,
                 "\n".join(wrong))


def check_figures(report, result):
    minimum = read_minimum()
    for kind, (covered, total) in result.figures().items():
        least = max(LEAST[kind], minimum[result.folder, kind])
        report.check(f"{kind} of {result.folder}: at least {least} %", per_cent(covered, total) >= least,
                     f"{covered} of {total} are {per_cent(covered, total)} %")


def run(report):
    if not build(report):
        return
    profiles = run_programs(report)
    results = [measure(profiles, folder) for folder in OBJECTS]
    for result in results:
        print_table(result)
        print_places("lines that are not reached", result.missed)
        print_places("conditions that never decide", list(result.undecided()))
        check_figures(report, result)
    check_unreached(report, results)
