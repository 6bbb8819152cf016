# SPDX-License-Identifier: MIT
"""Changed copies of the core ("mutants"), and whether the tests notice: see tests/parts/mutants.py."""
