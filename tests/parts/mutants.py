# SPDX-License-Identifier: MIT
"""Changes the core in one place, many times over, and expects that a test in the simulator notices: unit
tests, scenarios, the model's traces. What none can notice is explained in tests/mutants/explained.txt.
QUIRE_SEED chooses others."""
import collections
import os
import sys
import time

from mutants import explained as reasons
from mutants import run as mutants
from mutants.changes import all_mutants
from mutants.workshop import EQUIVALENT, INVALID, KILLED, SURVIVED

ENOUGH = 90  # per cent
EVERY = 50


class Progress:
    """A line that is written over on a terminal, and now and then a line elsewhere."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.counted = self.killed = 0
        self.started = time.monotonic()
        self.terminal = sys.stdout.isatty()

    def count(self, killed):
        self.counted += 1
        self.killed += killed
        if self.terminal or self.counted % EVERY == 0:
            minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
            print(f"{self.counted:5} of {self.wanted} mutants, {self.killed} killed, "
                  f"{minutes}:{seconds:02}", end="\r" if self.terminal else "\n", flush=True)

    def say(self, text):
        print(("\033[K" if self.terminal else "") + text, flush=True)


def judge(workshop, chosen, wanted, explained):
    """(outcome, verdict) up to the wanted number of those that count. Survivors are named at once."""
    progress = Progress(wanted)
    results = []
    for outcome in mutants.outcomes(workshop, chosen):
        kind = verdict(outcome, explained)
        results.append((outcome, kind))
        if kind == SURVIVED:
            progress.say(survivor(outcome.mutant))
        if outcome.counts:
            progress.count(outcome.kind == KILLED)
        if progress.counted == wanted:
            break
    progress.say("")
    return results


def survivor(mutant):
    return (f"survived {mutant.source.name}:{mutant.line} {mutant.function}: {mutant.what}\n"
            f"    again: python3 tests/mutants {mutant.name}")


def verdict(outcome, explained):
    if outcome.kind == SURVIVED and reasons.key_of(outcome.mutant) in explained:
        return "explained"
    return outcome.kind


def share(tally):
    """Per cent; nobody asks a test for what can't be noticed."""
    asked = tally["killed"] + tally["survived"]
    return 100 * tally["killed"] / asked if asked else 100.0


def print_table(verdicts):
    files = collections.defaultdict(collections.Counter)
    for outcome, kind in verdicts:
        files[outcome.mutant.source.name][kind] += 1
        files["all"][kind] += 1
    width = max(map(len, files))
    print(f"{'file':{width}} mutants  killed explained survived  share")
    for name in sorted(files, key=lambda name: (name == "all", name)):
        tally = files[name]
        print(f"{name:{width}} {sum(tally.values()):7} {tally['killed']:7} {tally['explained']:9} "
              f"{tally['survived']:8} {share(tally):5.1f}%")


def check_reasons(report, explained, everything, verdicts):
    useless = reasons.useless(explained, everything)
    report.check("each explanation is of one mutant", not useless, "\n".join(useless))
    wrong = [f"{outcome.mutant.name} {outcome.by}" for outcome, kind in verdicts
             if kind == KILLED and reasons.key_of(outcome.mutant) in explained]
    report.check("no test notices what is explained", not wrong, "\n".join(wrong))


def run(report, wanted):
    seed = int(os.environ.get("QUIRE_SEED", "1"))
    explained = reasons.load()
    everything = all_mutants(mutants.core_files())
    workshop = mutants.set_up()
    results = judge(workshop, mutants.shuffled(everything, seed), wanted, explained)
    verdicts = [(outcome, kind) for outcome, kind in results if outcome.counts]
    print_table(verdicts)
    tally = collections.Counter(kind for _, kind in results)
    print(f"Seed {seed}, of {len(everything)} mutants. Not counted: {tally[EQUIVALENT]} that become "
          f"the same code, {tally[INVALID]} that can't be compiled.")
    print(f"The share is of {tally['killed'] + tally['survived']}: {tally['explained']} explained ones "
          "are left out.")
    report.passed(tally["killed"] + tally["explained"])
    report.check(f"{ENOUGH} % of the mutants are noticed", share(tally) >= ENOUGH,
                 f"{share(tally):.1f} %")
    check_reasons(report, explained, all_mutants(mutants.all_files()), verdicts)
