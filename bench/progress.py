# SPDX-License-Identifier: MIT
"""Where a measurement is, for who waits for it: on a terminal one line that is drawn again, elsewhere one for each
thing that is measured."""
import sys
import time


class Progress:
    def __init__(self, title, total):
        self.title, self.total, self.done, self.last = title, total, 0, None
        self.terminal = sys.stderr.isatty()
        self.begin = time.monotonic()

    def step(self, what, detail=""):
        """Something begins: `what` is the thing that is measured, `detail` changes more often."""
        seconds = int(time.monotonic() - self.begin)
        head = f"{self.title}: {what}"
        if self.terminal:
            print(f"\r\033[K{head} {detail} ({self.done}/{self.total}, {seconds} s)", end="", file=sys.stderr, flush=True)
        elif what != self.last:
            print(f"{head} ({self.done}/{self.total}, {seconds} s)", file=sys.stderr, flush=True)
        self.last = what
        self.done += 1

    def end(self):
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
