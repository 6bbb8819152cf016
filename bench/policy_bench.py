# SPDX-License-Identifier: MIT
"""How many misses the core's replacement policies have, and others, on traces of pages: of this host's
programs, recorded with valgrind's lackey and kept in build/, and made up ones."""
import os
import random
import subprocess

import sim_figures

PROGRAM = f"{sim_figures.BUILD}/bench/policies"
SWITCHES = f"{sim_figures.BUILD}/bench/page-switches"
TRACES = "build/bench/traces"
ACCESSES, SHORT_ACCESSES = 40_000_000, 2_000_000  # of a program
MADE, SHORT_MADE = 2_000_000, 300_000             # switches of one that is made up
MADE_UP = ("zipf", "zipf+scan", "loop", "phases")
ONLINE = ("lru", "clock", "two-lists", "car", "exact-car", "sieve", "s3-fifo")
COLUMNS = ("opt", *ONLINE)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONHASHSEED": "0", "TMPDIR": TRACES}

SCRIPT = """
import json, random
random.seed(1)
words = {}
for i in range(20000):
    words.setdefault(str(random.randrange(5000)), []).append(i)
text = json.dumps(words)
print(len(sorted(json.loads(text).items())), sum(map(ord, text)))
"""


def compiler():
    return subprocess.run(["gcc", "-print-prog-name=cc1"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()


def write_lines(path):
    """What sort gets: the same lines each time, in no order."""
    numbers = random.Random(1)
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{numbers.getrandbits(64):020} {i}\n" for i in range(60000))


def programs():
    """{trace: the program and its arguments}"""
    lines = f"{TRACES}/lines"
    return {"cc1": [compiler(), "-quiet", "-std=gnu11", "-O2", "-ffreestanding", "-Iinclude", "-Ivm",
                    "vm/fault.c", "-o", f"{TRACES}/cc1.s"],
            "sort": ["sort", "--parallel=1", "-S", "8M", "-o", f"{TRACES}/sorted", lines],
            "python3": ["python3", "-I", "-S", "-c", SCRIPT]}


def record(name, command, most):
    """The trace's file. Lackey says a line for each access; what is beyond the cap isn't waited for."""
    path = f"{TRACES}/{name}-{most}"
    if os.path.exists(path):
        return path
    # A program that fails would be another trace.
    subprocess.run(command, check=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    lackey = ["valgrind", "--vgdb=no", "--tool=lackey", "--trace-mem=yes", "--log-fd=3", *command]
    script = 'exec "$@" 3>&1 >/dev/null 2>&1 </dev/null'
    with subprocess.Popen(["sh", "-c", script, "sh", *lackey], env=ENVIRONMENT,
                          stdout=subprocess.PIPE) as traced:
        with subprocess.Popen([SWITCHES, str(most), path + ".part"], stdin=traced.stdout,
                              stdout=subprocess.PIPE, text=True) as reducer:
            traced.stdout.close()
            count = int(reducer.communicate()[0] or 0)
        traced.kill()
    if reducer.returncode != 0 or count < most // 20:
        raise SystemExit(f"bench: valgrind recorded {count} accesses of {name}")
    os.rename(path + ".part", path)
    return path


def count(arguments):
    """{"accesses": N, "pages": N, 25: {policy: misses}, 50: {...}}"""
    figures = {25: {}, 50: {}}
    for line in sim_figures.run([PROGRAM, *arguments]).splitlines():
        first, *rest = line.split()
        if first in ("accesses", "pages"):
            figures[first] = int(rest[0])
        else:
            figures[int(first)][rest[0]] = int(rest[1])
    return figures


def measure(short=False):
    """{trace: its figures}"""
    sim_figures.build("bench/policies", "bench/page-switches")
    os.makedirs(TRACES, exist_ok=True)
    write_lines(f"{TRACES}/lines")
    figures = {name: count([record(name, command, SHORT_ACCESSES if short else ACCESSES)])
               for name, command in programs().items()}
    figures.update((name, count([name, str(SHORT_MADE if short else MADE)])) for name in MADE_UP)
    return figures


def show_table(figures, title, form, of):
    print(f"\n{title}\n{'':18}" + "".join(f"{name:>11}" for name in COLUMNS))
    for name, trace in figures.items():
        for percent in (25, 50):
            misses = trace[percent]
            print(f"{name + ', ' + str(percent) + ' %':18}"
                  + "".join(format(of(trace, misses, column), form) for column in COLUMNS))


def distances(figures):
    """(row, CAR's misses over the fewest of an online policy, whose they are)"""
    for name, trace in figures.items():
        for percent in (25, 50):
            misses = trace[percent]
            best = min(ONLINE, key=misses.get)
            yield f"{name}, {percent} %", misses["car"] / misses[best], best


def show(figures):
    print("\nPages, and accesses to another page than the one before: "
          + "; ".join(f"{name} {trace['pages']:,}, {trace['accesses']:,}"
                      for name, trace in figures.items()))
    show_table(figures, "Misses, by OPT's; memory is so much of the trace's pages", "11.3f",
               lambda trace, misses, column: misses[column] / misses["opt"])
    show_table(figures, "Hit ratio, per cent", "11.3f",
               lambda trace, misses, column: 100 - 100 * misses[column] / trace["accesses"])
    rows = list(distances(figures))
    far = [f"{row}: {100 * ratio - 100:.1f} % more than {best}" for row, ratio, best in rows
           if ratio > 1.1 and not row.startswith("loop")]
    print(f"\nCAR's misses are within 10 % of the best online policy's in "
          f"{sum(ratio <= 1.1 for _, ratio, _ in rows)} of {len(rows)} rows"
          + (f"; not in: {'; '.join(far)}" if far else ""))
