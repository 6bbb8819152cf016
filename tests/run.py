#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests, all or some parts, and counts them. The last line is "N passed, N failed"."""
import argparse
import os
import sys
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import abuse, alone, guest, style, tool, unit  # noqa: E402
from parts.report import Report  # noqa: E402

PARTS = {
    "build": ("everything builds, without warnings", unit.build),
    "alone": ("the core alone, freestanding, with gcc and clang", alone.run),
    "style": ("format, licence lines, static analysis", style.run),
    "unit": ("the unit tests, on the simulated machine", unit.run),
    "clang": ("all of it built with clang, and the unit tests", unit.run_clang),
    "sanitized": ("the unit tests with address and undefined-behaviour checks", unit.run_sanitized),
    "tool": ("the quire command: what it refuses, what it passes on", tool.run),
    "cases": ("programs' cases in the reference kernel, against this host", guest.run_cases),
    "abuse": ("programs that want more than there is", abuse.run),
    "user-vm": ("the user_vm_* calls from a program", guest.run_user_vm),
    "scripts": ("busybox scripts in the reference kernel, against this host", guest.run_scripts),
}


def main():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__)
    parser.add_argument("parts", metavar="PART", nargs="*", help="only these (see --list)")
    parser.add_argument("--list", action="store_true", help="say which parts there are")
    arguments = parser.parse_args()
    if arguments.list:
        for name, (text, _) in PARTS.items():
            print(f"{name:10} {text}")
        return 0
    for name in arguments.parts:
        if name not in PARTS:
            parser.error(f"{name}: no such part; see --list")
    os.chdir(ROOT)
    report = Report()
    for name in arguments.parts or PARTS:
        text, run = PARTS[name]
        report.begin(name, text)
        try:
            run(report)
        except Exception:  # a part that can't go on is a failure, and the others are run
            report.failed(f"{name}: the tests themselves", traceback.format_exc())
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
