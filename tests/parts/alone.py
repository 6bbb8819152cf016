# SPDX-License-Identifier: MIT
"""The core without anything around it: no library, no host, only what host.h asks for; and the layer over it."""
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
# Barrelfish's interface sees no header of the core's but the public ones.
LAYER_FLAGS = [flag for flag in FLAGS if flag != "-Ivm"]
LAYER_MAY_NEED = re.compile(r"^(vm_\w+|host_wait|host_wake|host_vnode_size|memcpy|memmove|memset|memcmp)$")


def headers(compiler):
    directory = subprocess.run([compiler, "-print-file-name=include"], stdout=subprocess.PIPE,
                               text=True, check=True).stdout.strip()
    return ["-isystem", directory]


def compile_sources(report, compiler, directory, sources, flags):
    objects = []
    for source in sorted(glob.glob(sources, recursive=True)):
        target = os.path.join(directory, source.replace("/", "_") + ".o")
        if report.command(f"{compiler} {source}", [compiler, *flags, *headers(compiler), "-c",
                                                   source, "-o", target]):
            objects.append(target)
    return objects


def check_needs(report, compiler, objects, directory, what, may_need):
    whole = os.path.join(directory, f"{what}.o")
    if not objects or not report.command(f"{compiler}: link", ["ld", "-r", "-o", whole, *objects]):
        return
    names = subprocess.run(["nm", "-u", whole], stdout=subprocess.PIPE, text=True, check=True)
    needs = [line.split()[-1] for line in names.stdout.splitlines()]
    strange = [name for name in needs if not may_need.match(name)]
    report.check(f"{compiler}: {what} needs only what it may", not strange, "\n".join(strange))


def run(report):
    for compiler in ("gcc", "clang"):
        directory = os.path.join("build", "alone", compiler)
        os.makedirs(directory, exist_ok=True)
        objects = compile_sources(report, compiler, directory, "vm/**/*.[cS]", FLAGS)
        check_needs(report, compiler, objects, directory, "core", MAY_NEED)
        objects = compile_sources(report, compiler, directory, "vspace/*.c", LAYER_FLAGS)
        check_needs(report, compiler, objects, directory, "vspace", LAYER_MAY_NEED)
        for header in sorted(glob.glob("include/quire/*.h")):
            report.command(f"{compiler} {header} by itself",
                           [compiler, *FLAGS, *headers(compiler), "-fsyntax-only", "-x", "c", header])
