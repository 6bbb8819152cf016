# SPDX-License-Identifier: MIT
"""Processes of this host that page themselves, as this user and, for root, as one without rights."""
import json
import os
import re
import shutil
import subprocess
import tempfile

from parts import unit

SKIPPED = re.compile(r"^skipped: (.*)$", re.M)


def show_skipped(said):
    for reason in sorted(set(SKIPPED.findall(said))):
        print(f"    skipped: {reason}")


def run_program(report, command, name):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=600, check=False)
    show_skipped(done.stdout)
    report.check(name, done.returncode == 0, done.stdout[-2500:])


def as_nobody(report, programs):
    """The same programs, copied to where nobody may read them."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        print("    not as another user: that takes root and setpriv")
        return
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        for program in programs:
            copy = shutil.copy(program, directory)
            run_program(report, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                 "--bounding-set=-all", "--inh-caps=-all", copy],
                        f"{os.path.basename(program)} without rights")


def check_doctor(report):
    done = subprocess.run(["build/quire", "doctor", "--json"], stdout=subprocess.PIPE, text=True,
                          timeout=60, check=False)
    answer = json.loads(done.stdout) if done.returncode in (0, 1) else {}
    report.check("quire doctor --json is complete",
                 {"kernel", "user", "userfaultfd", "modes", "costs", "advice"} <= set(answer),
                 done.stdout)
    report.command("quire doctor", ["build/quire", "doctor"], timeout=60)


def run(report):
    if not unit.build_in(report, "build"):
        return
    listed = subprocess.run(["meson", "introspect", "--tests", "build"], stdout=subprocess.PIPE,
                            text=True, check=True)
    tests = [test for test in json.loads(listed.stdout) if unit.is_linux(test)]
    report.check("there are tests of the Linux process", bool(tests))
    for test in tests:
        unit.run_program(report, test)
    as_nobody(report, [test["cmd"][0] for test in tests])
    check_doctor(report)
