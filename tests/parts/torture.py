# SPDX-License-Identifier: MIT
"""The torture of the core in the simulator: `quire sim`, and what it once found."""
import glob
import json
import os
import subprocess

from parts import unit

QUIRE = "build/quire"
SECONDS = 20
# One operation in a trace is compared with the model in less than this, whatever else the machine does.
LEAST_RATE = 10000


def replay(report):
    """Every trace that once failed is right now."""
    for path in sorted(glob.glob("tests/torture/traces/*.trace")):
        report.command(f"replay {os.path.basename(path)}", [QUIRE, "sim", "--replay", path])


def sim(report, name, *options, timeout=3600):
    """Runs `quire sim`; its figures, or None."""
    saved = f"build/{name.replace(' ', '-')}.trace"
    done = subprocess.run([QUIRE, "sim", "--json", "--quiet", "--save", saved, *options],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=timeout, check=False)
    if not report.check(f"quire sim: {name}", done.returncode == 0, done.stdout):
        return None
    return json.loads(done.stdout)


def show(figures):
    print(f"   {figures['operations']:,} operations "
          f"({figures['operations_a_second_and_process']:,} a second and process), "
          f"{figures['faults']:,} faults, {figures['schedules']:,} schedules of "
          f"{figures['scenarios']} scenarios ({figures['complete']} complete with one preemption)")
    print(f"   {figures['injected']:,} failures on request, at {figures['sites_hit']} of "
          f"{figures['sites']} sites where a request can fail; violations: {figures['violations']}")


def check_figures(report, figures):
    """A campaign that did nothing would find nothing."""
    report.check("scenarios: at least 40", figures["scenarios"] >= 40, str(figures["scenarios"]))
    report.check("each scenario is complete with one preemption",
                 figures["complete"] == figures["scenarios"],
                 f"{figures['complete']} of {figures['scenarios']}")
    report.check("every request that can fail has failed",
                 figures["sites_hit"] == figures["sites"], "\n".join(figures["sites_not_hit"]))
    rate = figures["operations_a_second_and_process"]
    report.check("traces run", rate >= LEAST_RATE, f"{rate} operations a second")


def run(report):
    if not unit.build_in(report, "build"):
        return
    replay(report)
    figures = sim(report, "campaign", "--seconds", str(SECONDS))
    if figures:
        show(figures)
        check_figures(report, figures)
    sim(report, "every operation meets a failure", "--ops", "200000", "--fail", "any")
    sim(report, "against Linux", "--linux", "--seconds", str(SECONDS // 2))


def run_long(report, seconds):
    if not unit.build_in(report, "build"):
        return
    replay(report)
    figures = sim(report, "long campaign", "--seconds", str(seconds), "--seed",
                  str(int.from_bytes(os.urandom(4), "little")), timeout=seconds + 600)
    if figures:
        print(f"   seed {figures['seed']}")
        show(figures)
    sim(report, "against Linux for long", "--linux", "--seconds", str(seconds),
        timeout=seconds + 600)
    sim(report, "two preemptions", "--schedule", "exhaustive", "--seconds", str(seconds),
        timeout=seconds + 600)
