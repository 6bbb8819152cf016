# SPDX-License-Identifier: MIT
"""Runs these mutants alone, named as the report names them, FILE:LINE:COLUMN:NUMBER: shows what is
changed and which tests notice. A name may be cut: FILE:LINE is all of that line, FILE all of it."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from mutants import run  # noqa: E402
from mutants.changes import all_mutants  # noqa: E402
from mutants.explained import block, key_of, load  # noqa: E402
from mutants.workshop import folder_of  # noqa: E402


def main(names):
    os.chdir(ROOT)
    if not names or names[0].startswith("-"):
        print(f"usage: python3 tests/mutants FILE[:LINE[:COLUMN[:NUMBER]]]...\n{__doc__}")
        return 2
    mutants = [mutant for mutant in all_mutants(run.all_files())
               if any((mutant.name + ":").startswith(name + ":") for name in names)]
    if not mutants:
        print("there is no such mutant")
        return 2
    explained, unexplained = load(), 0
    folders = {folder_of(mutant.source.name) for mutant in mutants}
    for outcome in run.outcomes(run.set_up(folders), mutants):
        reason = explained.get(key_of(outcome.mutant), "")
        print(f"{outcome.mutant.name} {outcome.kind} {outcome.by}\n{block(outcome.mutant)}{reason}",
              flush=True)
        unexplained += outcome.kind == "survived" and not reason
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
