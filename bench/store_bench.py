# SPDX-License-Identifier: MIT
"""What stores take and give, in megabytes a second of one CPU's time, and what compressed pages become."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

import sim_figures

CONTENTS = ("text", "program", "random", "zeros")


def contents(directory):
    """The arguments of the program: the text is this project's, the program the largest of some."""
    text = os.path.join(directory, "text")
    with open(text, "wb") as file:
        for name in sorted(glob.glob("vm/*.c") + glob.glob("kernel/*/*.c") + glob.glob("docs/*.md")):
            with open(name, "rb") as source:
                shutil.copyfileobj(source, file)
    program = os.path.realpath(shutil.which("qemu-system-x86_64") or "/bin/bash")
    return [f"text={text}", f"program={program}", "random", "zeros"]


def measure():
    """{content: {store: (written, read, ratio)}}"""
    sim_figures.build("bench/stores")
    program = os.path.abspath(f"{sim_figures.BUILD}/bench/stores")
    with tempfile.TemporaryDirectory() as directory:
        said = subprocess.run([program, *contents(directory)], check=True, stdout=subprocess.PIPE,
                              text=True, cwd=directory).stdout
    found = re.findall(r"^(.+), (\w+): (\d+) (\d+) ([\d.]+)$", said, re.M)
    return {content: {store: (int(written), int(read), float(ratio))
                      for store, of, written, read, ratio in found if of == content}
            for content in CONTENTS}


def show(figures):
    print("\nStores, MB/s of one CPU's time: written, read, and how much smaller\n"
          + f"{'':22}" + "".join(f"{content:>24}" for content in CONTENTS))
    for store in figures[CONTENTS[0]]:
        cells = (figures[content][store] for content in CONTENTS)
        print(f"{store:22}" + "".join(
            f"{written:>9,}{read:>8,}" + (f"{ratio:>7.2f}" if ratio else f"{'-':>7}")
            for written, read, ratio in cells))
