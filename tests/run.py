#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests, all or some parts, and counts them. The last line is "N passed, N failed"."""
import argparse
import importlib
import os
import sys
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts.report import Report  # noqa: E402

# What each part is, and the function of parts/ that runs it.
PARTS = {
    "build": ("everything builds, without warnings", "unit.build"),
    "alone": ("the core alone, freestanding, with gcc and clang", "alone.run"),
    "style": ("format, licence lines, static analysis", "style.run"),
    "unit": ("the unit tests, on the simulated machine", "unit.run"),
    "clang": ("all of it built with clang, and the unit tests", "unit.run_clang"),
    "sanitized": ("the unit tests with address and undefined-behaviour checks",
                  "unit.run_sanitized"),
    "linux": ("processes of this host that page themselves", "linux.run"),
    "checked": ("the same, checked for addresses, undefined behaviour and races",
                "linux.run_sanitized"),
    "doctor": ("quire doctor: what it says is what can be done", "doctor.run"),
    "demo": ("quire demo sort: on each store, on a terminal, where it can't be", "demo.run"),
    "stores": ("the stores for Linux programs, under a checker of races; the manual's examples",
               "stores.run"),
    "bench": ("the programs of ./dev bench process: each way reads and writes the same", "bench.run"),
    "torture": ("random traces against the model and Linux, schedules, failures", "torture.run"),
    "fuzz": ("each fuzzer over its corpus, and some seconds beyond", "fuzz.run"),
    "tool": ("the quire command: what it refuses, what it passes on", "tool.run"),
    "cases": ("programs' cases in the reference kernel, against this host", "guest.run_cases"),
    "disks": ("files that are disks: what programs see, what the host has", "disks.run"),
    "swap": ("more memory than there is: programs, areas of swap, failures", "swap.run"),
    "abuse": ("programs that want more than there is", "abuse.run"),
    "vspace": ("the tests of vspace/ in a program on the reference kernel", "guest.run_vspace"),
    "user-vm": ("the user_vm_* calls from a program", "guest.run_user_vm"),
    "scripts": ("busybox scripts in the reference kernel, against this host", "guest.run_scripts"),
}

# Parts that are only run when they are asked for, by an option of the same name.
LONG = {
    "torture": ("random traces, schedules and failures, for as long as asked", "torture.run_long"),
    "fuzz": ("each fuzzer, for as long as asked", "fuzz.run_long"),
    "spin": ("complete searches of the models of three protocols", "spin.run"),
    "swap": ("sorts of 48 MiB in 32 MiB of memory; as long as that takes", "swap.run_long"),
}
COVERAGE = {"coverage": ("lines, branches and MC/DC of the core", "coverage.run")}
MUTANTS = {"mutants": ("changed cores, each of which a test must notice", "mutants.run")}


def function_of(place):
    module, function = place.split(".")
    return getattr(importlib.import_module(f"parts.{module}"), function)


def positive(text):
    """An argument that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a number from 1 on")
    return number


def parse():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__)
    parser.add_argument("parts", metavar="PART", nargs="*", help="only these (see --list)")
    parser.add_argument("--list", action="store_true", help="say which parts there are")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--long", metavar="SECONDS", type=positive, nargs="?", const=600,
                       help="instead, longer searches: about so many seconds (600) for torture's "
                       "and fuzz's, and spin, which is complete after some minutes "
                       "(./dev test --long --list)")
    other.add_argument("--coverage", action="store_true",
                       help="instead, a table of what the tests reach of vm/")
    other.add_argument("--mutants", metavar="N", type=positive, nargs="?", const=600,
                       help="instead, N changed cores (600), and which of them no test notices; "
                       "QUIRE_SEED=M chooses others")
    return parser, parser.parse_args()


def chosen_parts(arguments):
    """The parts to run, and what is passed on to each."""
    if arguments.long is not None:
        return LONG, [arguments.long]
    if arguments.coverage:
        return COVERAGE, []
    if arguments.mutants is not None:
        return MUTANTS, [arguments.mutants]
    return PARTS, []


def main():
    parser, arguments = parse()
    parts, passed_on = chosen_parts(arguments)
    if arguments.list:
        for name, (text, _) in parts.items():
            print(f"{name:10} {text}")
        return 0
    for name in arguments.parts:
        if name not in parts:
            parser.error(f"{name}: no such part; see --list")
    os.chdir(ROOT)
    report = Report()
    for name in arguments.parts or parts:
        text, place = parts[name]
        report.begin(name, text)
        try:
            function_of(place)(report, *passed_on)
        except Exception:  # a part that can't go on is a failure, and the others are run
            report.failed(f"{name}: the tests themselves", traceback.format_exc())
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
