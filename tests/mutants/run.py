# SPDX-License-Identifier: MIT
"""Builds what mutants need, chooses some, and judges them two at a time."""
import concurrent.futures
import glob
import hashlib
import os
import subprocess

from mutants.explained import key_of
from mutants.killers import Order, all_killers, measure
from mutants.workshop import BUILD, LIBRARIES, OPTIONS, Workshop

AT_ONCE = min(2, os.cpu_count() or 1)


def core_files():
    return sorted(glob.glob("vm/**/*.c", recursive=True))


def all_files():
    return [name for folder in LIBRARIES for name in sorted(glob.glob(f"{folder}/**/*.c", recursive=True))]


def build():
    commands = [["ninja", f"-j{AT_ONCE}", "-C", BUILD]]
    if not os.path.exists(f"{BUILD}/build.ninja"):
        commands.insert(0, ["meson", "setup", BUILD, *OPTIONS])
    for command in commands:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}")


def set_up(folders=("vm",)):
    """A workshop whose tests, those of these folders, pass on the sources as they are."""
    build()
    killers = [killer for killer in all_killers(BUILD) if killer.folder in folders]
    bad = measure(killers, os.path.abspath(f"{BUILD}/host/sim"))
    if bad or not killers:
        raise RuntimeError("tests that fail without any change:\n" + "\n".join(bad))
    return Workshop(AT_ONCE, Order(killers, f"{BUILD}/kills.json"))


def shuffled(mutants, seed):
    """In an order that depends on what each changes, so that a change elsewhere leaves the others where
    they were: the same seed is about the same mutants, also tomorrow."""
    def place(mutant):
        return hashlib.sha256("\n".join((str(seed), *key_of(mutant))).encode()).digest()
    return sorted(mutants, key=place)


def outcomes(workshop, mutants):
    """In the order of the mutants, whichever is ready first. May be left before the end."""
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    waiting, left = [], iter(mutants)
    try:
        while True:
            while len(waiting) < 64 and (mutant := next(left, None)) is not None:
                waiting.append(pool.submit(workshop.judge, mutant))
            if not waiting:
                return
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)
        workshop.order.keep()
