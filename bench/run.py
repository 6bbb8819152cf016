#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the figures that docs/bench.md describes: "sim", the core alone on the simulated machine;
"guest", programs in the reference kernel beside Debian's Linux, in instructions; "policies", misses of the
replacement policies on traces of pages; "stores", megabytes a second and ratios of the stores for Linux programs;
"process", accesses in a process that pages itself; "paging", pages that go and come back, beside Debian's Linux;
"sort", a sort larger than memory beside Debian's Linux, which takes some minutes and so must be asked for."""
import argparse
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import guest_bench  # noqa: E402
import paging_bench  # noqa: E402
import policy_bench  # noqa: E402
import process_bench  # noqa: E402
import sim_figures  # noqa: E402
import sort_bench  # noqa: E402
import store_bench  # noqa: E402


PARTS = ("sim", "guest", "policies", "stores", "process", "paging", "sort")


def show_sim(figures):
    sizes = "".join(f"{size:>12,}" for size in sim_figures.SIZES)
    for title, index, form in (("nanoseconds", 1, "12,.1f"), ("instructions", 2, "12,.0f")):
        print(f"\nThe core alone, {title}, by regions\n{'':34}{sizes}{'last/first':>12}")
        for figure in figures:
            values = figure[index]
            print(f"{figure[0]:34}" + "".join(format(value, form) for value in values)
                  + f"{values[-1] / values[0]:12.2f}")


def show_guest(figures):
    print(f"\nThe same program, instructions\n{'':50}{'Linux 6.1':>12}{'Quire':>12}{'ratio':>8}")
    for name, linux, quire in figures:
        print(f"{name:50}{linux:12,}{quire:12,}{quire / linux:8.2f}")
    above = [name for name, linux, quire in figures if quire >= linux]
    print(f"\nBelow Linux in {len(figures) - len(above)} of {len(figures)} rows"
          + (f"; not in: {'; '.join(above)}" if above else ""))


SORT_ROWS = (("memory of the machine, KiB", "memory", ","),
             ("of it free before the sort, KiB", "free", ","),
             ("instructions", "instructions", ","), ("seconds of the machine", "seconds", ",.2f"),
             ("pages read from swap", "pages_swapped_in", ","), ("in requests", "swap_reads", ","),
             ("pages written to swap", "pages_swapped_out", ","), ("in requests", "swap_writes", ","),
             ("bytes of the text read", "text_bytes_read", ","))


def show_sort(figures):
    linux, quire = figures["linux"], figures["quire"]
    print(f"\nSort {sort_bench.TEXT_MIB} MiB in less memory\n"
          f"{'':50}{'Linux 6.1':>15}{'Quire':>15}{'ratio':>8}")
    for name, key, form in SORT_ROWS:
        ratio = f"{quire[key] / linux[key]:8.2f}" if linux[key] else ""
        print(f"{name:50}{format(linux[key], form):>15}{format(quire[key], form):>15}{ratio}")
    print(f"\nLinux's own words: MemAvailable {linux['mem_available']:,} KiB, "
          f"pswpin {linux['pswpin']:,}, pswpout {linux['pswpout']:,}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("parts", metavar="PART", nargs="*", help=f"{', '.join(PARTS)}; without: all but sort")
    parser.add_argument("--short", action="store_true",
                        help="policies: on short traces, in less than a minute; process: of smaller files, in about one")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE, too")
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"{part}: no such part; {', '.join(PARTS)}")
    os.chdir(ROOT)
    results = {}
    if not arguments.parts or "sim" in arguments.parts:
        figures = sim_figures.measure()
        show_sim(figures)
        results["sim"] = {name: {"regions": sim_figures.SIZES, "ns": times, "instructions": counts}
                          for name, times, counts in figures}
    if not arguments.parts or "guest" in arguments.parts:
        figures = guest_bench.measure()
        show_guest(figures)
        results["guest"] = {name: {"linux": linux, "quire": quire}
                            for name, linux, quire in figures}
    if not arguments.parts or "policies" in arguments.parts:
        results["policies"] = policy_bench.measure(arguments.short)
        policy_bench.show(results["policies"])
    if not arguments.parts or "process" in arguments.parts:
        results["process"] = process_bench.measure(arguments.short)
        process_bench.show(results["process"])
    if not arguments.parts or "paging" in arguments.parts:
        results["paging"] = paging_bench.measure()
        paging_bench.show(results["paging"])
    if "sort" in arguments.parts:
        results["sort"] = sort_bench.measure()
        show_sort(results["sort"])
    if not arguments.parts or "stores" in arguments.parts:
        results["stores"] = store_bench.measure()
        store_bench.show(results["stores"])
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=2)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
