# SPDX-License-Identifier: MIT
"""Mutants that no test can notice, each with the reason: explained.txt. They are found by what they
change, not by their line, so that they stay explained when other code moves."""
import collections
import os

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "explained.txt")


def key_of(mutant):
    return (mutant.source.name, mutant.function, *mutant.change)


def block(mutant):
    """What is to be written into explained.txt, but for the reason."""
    source, function, before, after = key_of(mutant)
    return f"{source} {function}\n  - {before}\n  + {after}\n  "


def parse(text):
    """{key: reason}"""
    explained = {}
    for part in text.split("\n\n"):
        lines = [line.strip() for line in part.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        if len(lines) < 4 or not lines[1].startswith("- ") or not lines[2].startswith("+ "):
            raise ValueError(f"explained.txt: {lines[0]}: not FUNCTION, -, +, reason")
        source, function = lines[0].split()
        explained[source, function, lines[1][2:], lines[2][2:]] = " ".join(lines[3:])
    return explained


def load():
    with open(PLACE, encoding="utf-8") as file:
        return parse(file.read())


def useless(explained, mutants):
    """Those that are no mutant's any more, or of more than one: whose reason is it then?"""
    count = collections.Counter(key_of(mutant) for mutant in mutants)
    return [f"{' '.join(key[:2])}: {key[3]}: of {count[key]} mutants" for key in explained
            if count[key] != 1]
