#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a target's corpus anew: the fewest files of it, and of what long runs have found, that reach all
that both reach. What once failed stays."""
import glob
import os
import shutil
import subprocess
import sys

MOST_FILES, MOST_BYTES = 60, 60 << 10


def merge(program, into, *folders):
    """The smallest set that reaches the same edges, however often each."""
    os.makedirs(into)
    subprocess.run([program, "-merge=1", "-set_cover_merge=1", "-use_counters=0", "-max_len=2000",
                    into, *folders], check=True, stderr=subprocess.DEVNULL)


def keep(target):
    corpus = f"tests/fuzz/corpus/{target}"
    merged = f"build/fuzz/merged/{target}"
    shutil.rmtree(merged, ignore_errors=True)
    folders = [name for name in (corpus, f"build/fuzz/grown/{target}") if os.path.isdir(name)]
    merge(f"build/fuzz/tests/fuzz/fuzz_{target}", merged, *folders)
    fixed = glob.glob(f"{corpus}/fixed-*")
    found = sorted(glob.glob(f"{merged}/*"), key=os.path.getsize)
    for name in glob.glob(f"{corpus}/*"):
        if name not in fixed:
            os.remove(name)
    os.makedirs(corpus, exist_ok=True)
    count, total = len(fixed), sum(map(os.path.getsize, fixed))
    for name in found:
        total += os.path.getsize(name)
        if count == MOST_FILES or total > MOST_BYTES:
            print(f"{target}: {len(found) + len(fixed) - count} files had no room")
            break
        shutil.copy(name, corpus)
        count += 1
    print(f"{target}: {count} files")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        keep(argument)
