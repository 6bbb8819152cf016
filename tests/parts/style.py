# SPDX-License-Identifier: MIT
"""What can be said about the sources without running them. A rule is one case, however many files
it is applied to."""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess

LICENCE = "SPDX-License-Identifier: MIT"
LONGEST_FUNCTION = 60
CORPUS = "tests/fuzz/corpus/"  # bytes, not texts


def tracked_files():
    """What belongs to the project: by git, or, in a tree without it, what isn't built."""
    if shutil.which("git") is not None:
        listed = subprocess.run(["git", "ls-files", "-z"], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, check=False)
        if listed.returncode == 0 and listed.stdout:
            return [name for name in listed.stdout.split("\0") if name and os.path.isfile(name)]
    return [name for name in glob.glob("**/*", recursive=True)
            if os.path.isfile(name) and not name.startswith("build/")]


def lines_of(name):
    with open(name, encoding="utf-8", errors="replace") as file:
        return file.read().split("\n")


def check_licences(report, names):
    plain = ("LICENSE", ".gitignore", ".clang-format")
    missing = [name for name in names
               if not name.endswith(".md") and os.path.basename(name) not in plain
               and LICENCE not in "".join(lines_of(name)[:2])]
    report.check("each file says its licence", not missing, "\n".join(missing))


def function_lengths(name):
    """(line, lines) of each function, in this project's layout: braces in the first column."""
    start = None
    for number, line in enumerate(lines_of(name), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield start, number - start - 1
            start = None


def check_lengths(report, names):
    lengths = [(name, line, lines) for name in names for line, lines in function_lengths(name)]
    long = [f"{name}:{line}: {lines} lines" for name, line, lines in lengths
            if lines > LONGEST_FUNCTION]
    report.check(f"no function of more than {LONGEST_FUNCTION} lines", not long, "\n".join(long))
    short = sum(lines <= 50 for _, _, lines in lengths)
    report.check("nine functions in ten have at most 50 lines", short * 10 >= len(lengths) * 9,
                 f"{short} of {len(lengths)}")


def check_places(report, names):
    """A path of one machine says nothing on another."""
    place = re.compile(r"(?<![\w.])/(home|root|work|farm)/\w")
    found = [f"{name}:{number}: {line.strip()}" for name in names
             for number, line in enumerate(lines_of(name), 1) if place.search(line)]
    report.check("no paths of one machine", not found, "\n".join(found))


def check_named_tests(report):
    """What the papers say notices a bug is there, and what is there for one stands in them."""
    names = glob.glob("tests/**/*.c", recursive=True)
    sources = "\n".join(line for name in names for line in lines_of(name))
    tests = set(re.findall(r"\bvoid (test_\w+)\(void\)", sources))
    paper = "\n".join(lines_of("docs/testing.md"))
    named = set(re.findall(r"`(test_\w+[a-z0-9])`", paper))
    bugs = {name for name in tests if re.match("test_(bug|defect|barrelfish)_", name)}
    wrong = sorted(f"no such test: {name}" for name in named - tests)
    wrong += sorted(f"not in the paper: {name}" for name in bugs - named)
    report.check("docs/testing.md names the tests of known bugs", len(named) > 100 and not wrong,
                 "\n".join(wrong))
    broken = re.findall(r"^\| .* \| ([a-z-]+) \| [\d-]+ \| [\d-]+ \| [\d-]+ \| \d+ \|$",
                        "\n".join(lines_of("torture/scenarios/README.md")), re.M)
    wrong = [name for name in broken
             if not os.path.isfile(f"torture/scenarios/{name.replace('-', '_')}.c")]
    report.check("the table of breaks names scenarios, as many as the papers say",
                 not wrong and f" {len(broken)} deliberate breaks" in paper,
                 f"{len(broken)} breaks; no such scenario: {wrong}")


def complaints(commands):
    """The output of those that fail, two at a time."""
    def run(command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        return done.stdout if done.returncode != 0 else ""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return "".join(pool.map(run, commands))


def check_format(report, names):
    found = complaints([["clang-format", "--dry-run", "-Werror", *names[i:i + 30]]
                        for i in range(0, len(names), 30)])
    report.check("the format is clang-format's", not found,
                 "\n".join(sorted(set(re.findall(r"^\S+?:\d+", found, re.M)))))


def check_manuals(report):
    """They are well-formed, and quire(1) has each option that quire's help has."""
    pages = sorted(glob.glob("docs/*.[1-8]"))
    found = complaints([["mandoc", "-Tlint", "-Wwarning", page] for page in pages])
    report.check("mandoc finds nothing in the manual pages", len(pages) >= 3 and not found, found)
    if shutil.which("groff"):
        said = subprocess.run(["groff", "-mandoc", "-ww", "-Tutf8", "-z", *pages], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False).stdout
        report.check("nor does groff, at 80 columns", not said, said)
    helps = re.split(r"^const char help_", "\n".join(lines_of("tools/quire/help.c")), flags=re.M)
    sections = re.split(r"^\.Ss quire ", "\n".join(lines_of("docs/quire.1")), flags=re.M)
    wrong = []
    for command in ("boot", "sim", "doctor", "demo"):
        text = next((text for text in helps if text.startswith(command)), "")
        page = next((text for text in sections if text.startswith(command)), "")
        said = set(re.findall(r"^    \"  (?:-h, )?(--[a-z-]+)", text, re.M)) - {"--help"}
        said |= set(re.findall(r"^    \"  --[a-z-]+, (--[a-z-]+)", text, re.M))
        there = {f"-{option}" for option in re.findall(r"^\.It Fl (-[a-z-]+)", page, re.M)}
        wrong += [f"{command} {option}" for option in sorted(said ^ there)]
        wrong += [f"{command}: no options at all"] if not said else []
    report.check("quire(1) has the options of quire help, and no others", not wrong, "\n".join(wrong))


def check_synopses(report):
    """The manuals of the libraries name each function of their headers."""
    missing = []
    for header, page in (("quire.h", "docs/quire.3"), ("stores.h", "docs/quire_store.7")):
        functions = re.findall(r"^(?!typedef)\w[\w *]*?(\w+)\(", "\n".join(lines_of(f"include/quire/{header}")), re.M)
        synopsis = re.split(r"^\.S[Hh] DESCRIPTION", "\n".join(lines_of(page)), flags=re.M)[0]
        missing += [f"{page}: {name}" for name in functions if f"{name}(" not in synopsis]
        missing += [f"{header}: no functions"] if len(functions) < 5 else []
    report.check("quire(3) and quire_store(7) have each function", not missing, "\n".join(missing))


def check_core(report):
    sources = sorted(glob.glob("vm/**/*.c", recursive=True))
    found = complaints([["clang-tidy", "--quiet", name, "--", "-std=gnu11", "-ffreestanding",
                         "-Iinclude", "-Ivm"] for name in sources])
    report.check("clang-tidy finds nothing in the core", not found, found)
    report.command("cppcheck finds nothing in the core",
                   ["cppcheck", "--quiet", "--std=c11", "--error-exitcode=1", "-j2",
                    "--inline-suppr", "--enable=warning,portability",
                    "--suppress=arrayIndexThenCheck", "-Iinclude", "-Ivm", "vm"], timeout=300)


def run(report):
    names = [name for name in tracked_files() if not name.startswith(CORPUS)]
    sources = [name for name in names if name.endswith((".c", ".h"))]
    check_licences(report, names)
    check_lengths(report, [name for name in sources if name.endswith(".c")])
    check_places(report, [name for name in names if name != "tests/parts/style.py"])
    check_named_tests(report)
    check_format(report, sources)
    report.command("dev is a shell script", ["sh", "-n", "dev"])
    check_manuals(report)
    check_synopses(report)
    check_core(report)
