# SPDX-License-Identifier: MIT
"""Counts and shows results."""
import subprocess
import sys
import time


class Report:
    def __init__(self):
        self.colour = sys.stdout.isatty()
        self.parts = []
        self.started = time.monotonic()

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def begin(self, name, text):
        self.parts.append([name, 0, 0, time.monotonic()])
        print(self.paint("1", f"== {name}: {text}"), flush=True)

    def passed(self, count=1):
        self.parts[-1][1] += count

    def failed(self, name, text=""):
        self.parts[-1][2] += 1
        print(self.paint("31", f"FAILED {name}"), flush=True)
        for line in text.rstrip("\n").split("\n")[-30:] if text else []:
            print(f"    {line}")

    def check(self, name, good, text=""):
        """One case: `text` says why, where it isn't good."""
        if good:
            self.passed()
        else:
            self.failed(name, text)
        return good

    def command(self, name, arguments, timeout=600, **options):
        """One case: the command ends with 0."""
        try:
            done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors="replace", timeout=timeout, **options)
        except FileNotFoundError:
            return self.check(name, False, f"{arguments[0]} is missing")
        except subprocess.TimeoutExpired:
            return self.check(name, False, f"still running after {timeout} seconds")
        return self.check(name, done.returncode == 0, done.stdout)

    def end(self):
        print()
        now = time.monotonic()
        starts = [part[3] for part in self.parts[1:]] + [now]
        for (name, passed, failed, start), end in zip(self.parts, starts):
            print(f"{name:10} {passed:6} passed {failed:4} failed {end - start:7.1f} s")
        passed = sum(part[1] for part in self.parts)
        failed = sum(part[2] for part in self.parts)
        print(f"\n{passed} passed, {failed} failed", flush=True)
        return 1 if failed or not passed else 0
