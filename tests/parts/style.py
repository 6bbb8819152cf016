# SPDX-License-Identifier: MIT
"""What can be said about the sources without running them."""
import glob
import os
import re
import subprocess

LICENCE = "SPDX-License-Identifier: MIT"


def tracked_files():
    """What belongs to the project: by git, or, in a tree without it, what isn't built."""
    listed = subprocess.run(["git", "ls-files", "-z"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [name for name in listed.stdout.split("\0") if name and os.path.isfile(name)]
    return [name for name in glob.glob("**/*", recursive=True)
            if os.path.isfile(name) and not name.startswith("build/")]


def check_licences(report, names):
    for name in names:
        if name.endswith((".md", ".txt")) or os.path.basename(name) in ("LICENSE", ".gitignore",
                                                                        ".clang-format"):
            continue
        with open(name, encoding="utf-8", errors="replace") as file:
            start = file.readline() + file.readline()
        report.check(f"{name}: licence", LICENCE in start, "no SPDX line at its start")


def function_lengths(name):
    """(line, lines) of each function, in this project's layout: braces in the first column."""
    start = None
    with open(name, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("{"):
                start = number
            elif line.startswith("}") and start:
                yield start, number - start - 1
                start = None


def check_lengths(report, names):
    for name in names:
        long = [f"{name}:{line}: {lines} lines" for line, lines in function_lengths(name)
                if lines > 60]
        report.check(f"{name}: functions of 60 lines at most", not long, "\n".join(long))


def check_places(report, names):
    """A path of one machine says nothing on another."""
    place = re.compile(r"(?<![\w.])/(home/\w|root/|farm/)")
    for name in names:
        with open(name, encoding="utf-8", errors="replace") as file:
            found = [f"{name}:{number}: {line.strip()}" for number, line in enumerate(file, 1)
                     if place.search(line)]
        report.check(f"{name}: no private paths", not found or name == "tests/parts/style.py",
                     "\n".join(found))


def run(report):
    names = tracked_files()
    sources = [name for name in names if name.endswith((".c", ".h"))]
    check_licences(report, names)
    check_lengths(report, [name for name in sources if name.endswith(".c")])
    check_places(report, names)
    for name in sources:
        report.command(f"{name}: format", ["clang-format", "--dry-run", "-Werror", name])
    report.command("dev: shell syntax", ["sh", "-n", "dev"])
    report.command("cppcheck", ["cppcheck", "--quiet", "--std=c11", "--error-exitcode=1", "-j2",
                                "--inline-suppr", "--enable=warning,portability",
                                "--suppress=normalCheckLevelMaxBranches", "-Iinclude", "-Ivm",
                                "vm"], timeout=300)
    for name in sorted(glob.glob("vm/**/*.c", recursive=True)):
        report.command(f"clang-tidy {name}", ["clang-tidy", "--quiet", name, "--", "-std=gnu11",
                                              "-ffreestanding", "-Iinclude", "-Ivm"])
