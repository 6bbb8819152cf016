# SPDX-License-Identifier: MIT
"""The core without anything around it: no library, no host, only what host.h asks for."""
import glob
import os
import re
import subprocess

FLAGS = ("-std=gnu11 -O2 -ffreestanding -nostdlib -nostdinc -mgeneral-regs-only -mno-red-zone -fno-pic "
         "-mcmodel=kernel -fno-stack-protector -Wall -Wextra -Wconversion -Wshadow -Werror "
         "-Iinclude -Ivm").split()
# The freestanding headers are the compiler's own; these are the only other names it may use, and
# the compilers make calls of the last four by themselves.
MAY_NEED = re.compile(r"^(host_\w+|memcpy|memmove|memset|memcmp)$")


def headers(compiler):
    directory = subprocess.run([compiler, "-print-file-name=include"], stdout=subprocess.PIPE,
                               text=True, check=True).stdout.strip()
    return ["-isystem", directory]


def compile_core(report, compiler, directory):
    objects = []
    for source in sorted(glob.glob("vm/**/*.[cS]", recursive=True)):
        target = os.path.join(directory, source.replace("/", "_") + ".o")
        if report.command(f"{compiler} {source}", [compiler, *FLAGS, *headers(compiler), "-c",
                                                   source, "-o", target]):
            objects.append(target)
    return objects


def check_needs(report, compiler, objects, directory):
    whole = os.path.join(directory, "core.o")
    if not objects or not report.command(f"{compiler}: link", ["ld", "-r", "-o", whole, *objects]):
        return
    names = subprocess.run(["nm", "-u", whole], stdout=subprocess.PIPE, text=True, check=True)
    needs = [line.split()[-1] for line in names.stdout.splitlines()]
    strange = [name for name in needs if not MAY_NEED.match(name)]
    report.check(f"{compiler}: the core needs only host.h", not strange, "\n".join(strange))


def run(report):
    for compiler in ("gcc", "clang"):
        directory = os.path.join("build", "alone", compiler)
        os.makedirs(directory, exist_ok=True)
        objects = compile_core(report, compiler, directory)
        check_needs(report, compiler, objects, directory)
        for header in sorted(glob.glob("include/quire/*.h")):
            report.command(f"{compiler} {header} by itself",
                           [compiler, *FLAGS, *headers(compiler), "-fsyntax-only", "-x", "c", header])
