# SPDX-License-Identifier: MIT
"""The stores for Linux programs: what many threads do at once, under a checker of races, and the manual's example."""
import os
import re
import subprocess

from parts.unit import build_in, run_all

PAGE = "docs/quire_store.7"


def run_threads(report):
    """Without the simulator, whose threads are fibers of one."""
    directory = "build/threads"
    if build_in(report, directory, "-Dkernel=false", "-Dwerror=false", "-Db_lundef=false",
                "-Db_sanitize=thread", targets=("stores-tests",)):
        run_all(report, directory, suite="stores")


def examples():
    """The manual's examples, as a compiler wants them: a program, and a part of one."""
    with open(PAGE, encoding="utf-8") as file:
        found = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", file.read(), re.M | re.S)
    return [text.replace("\\e", "\\") for text in found]


def run_example(report):
    program, part = examples()
    os.makedirs("build", exist_ok=True)
    with open("build/manual.c", "w", encoding="utf-8") as file:
        file.write(program)
    with open("build/manual_part.c", "w", encoding="utf-8") as file:
        file.write("#include <quire/stores.h>\n#include <quire/vm.h>\nint add(size_t pages);\n"
                   f"int add(size_t pages)\n{{\nvm_store *store;\n{part}return error;\n}}\n")
    compiler = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Iinclude"]
    report.command("the manual's second example compiles",
                   [*compiler, "-fsyntax-only", "build/manual_part.c"])
    if report.command("the manual's first example compiles",
                      [*compiler, "build/manual.c", "build/host/linux/stores/libquire_stores.a",
                       "-llz4", "-lzstd", "-lxxhash", "-luring", "-o", "build/manual"]):
        said = subprocess.run(["build/manual"], stdout=subprocess.PIPE, text=True,
                              check=False).stdout
        report.check("it says what the manual says", said == "a gather: 1 page, small\n", said)


def run(report):
    if build_in(report, "build"):
        run_example(report)
    run_threads(report)
