# SPDX-License-Identifier: MIT
"""The torture of the core in the simulator: `quire sim`, and what it once found."""
import glob
import json
import os
import signal
import subprocess
import time

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


def refuses(report, name, words, *options):
    """One case: status 125, each of the words on standard error, and nothing on standard output."""
    done = subprocess.run([QUIRE, "sim", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60, check=False)
    good = (done.returncode == 125 and not done.stdout
            and all(word in done.stderr for word in words))
    report.check(f"quire sim {name}", good, f"{done.returncode} {done.stdout}{done.stderr}")


def check_usage(report):
    for option, value, word in [
            ("--seed", "x", "not a number"), ("--seed", "-1", "not a number"),
            ("--ops", "0", "not a number"), ("--cpus", "5", "from 1 to 4"),
            ("--seconds", "0", "not a number"), ("--jobs", "65", "not a number"),
            ("--check", "0", "not a number"), ("--fail", "luck", "no such class"),
            ("--fail", "frame:0", "CLASS:N"), ("--fail", "frame:1:often", "CLASS:N"),
            ("--schedule", "fair", "exhaustive"), ("--scenario", "none", "--list"),
            ("--swap-store", "paper", "lz4-device"),
            ("--replay", "/is/not/there", "No such file")]:
        refuses(report, f"{option} {value}", [option, value, word], option, value)
    refuses(report, "--seed alone", ["needs a value"], "--seed")
    refuses(report, "--list=1", ["takes no value"], "--list=1")
    refuses(report, "--bogus", ["no such option"], "--bogus")
    refuses(report, "with a word", ["options only"], "word")
    # What would run nothing, and find nothing.
    for options in (["--scenario", "fault-against-fault", "--ops", "10"],
                    ["--schedule", "pct", "--linux"], ["--schedule", "random", "--check", "1"],
                    ["--cpus", "2", "--schedule", "exhaustive"]):
        refuses(report, " ".join(options), ["is for traces"], *options)
    refuses(report, "--crash --pressure", ["one at a time"], "--crash", "--pressure")
    refuses(report, "--crash --ops 5", ["--ops", "isn't for it"], "--crash", "--ops", "5")
    refuses(report, "--pressure --schedule pct", ["isn't for it"], "--pressure", "--schedule", "pct")
    refuses(report, "--fail thread", ["no operation of a trace"], "--fail", "thread")
    refuses(report, "--fail and --linux", ["on Linux"], "--fail", "frame", "--linux")


def check_end(report):
    """An interrupted run says what it has done; output that is lost is an error."""
    with subprocess.Popen([QUIRE, "sim", "--seconds", "60", "--quiet"], stdout=subprocess.PIPE,
                          text=True) as run_on:
        time.sleep(1.5)
        run_on.send_signal(signal.SIGINT)
        said = run_on.communicate(timeout=30)[0]
    report.check("quire sim says what it has done", run_on.returncode == 128 + signal.SIGINT
                 and "violations" in said, f"{run_on.returncode} {said}")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([QUIRE, "sim", "--list"], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)
    report.check("quire sim to a full disk", done.returncode == 125 and "No space" in done.stderr,
                 f"{done.returncode} {done.stderr}")


def check_replay(report):
    """A file that isn't one says where; a failure has a status of its own."""
    path = "build/replay-test.trace"
    head = "trace cpus=2 seed=0 failing=0 n=0 forever=0 check=1 class=any\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + "unmap page=1\nunmap page=77\n")
    refuses(report, "--replay says the line", ["line 3", "page"], "--replay", path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(head)
    refuses(report, "--replay of nothing", ["nothing in it to run"], "--replay", path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(head.replace("cpus=2", "cpus=1000") + "unmap page=1\n")
    done = subprocess.run([QUIRE, "sim", "--replay", path], stdout=subprocess.PIPE, text=True,
                          timeout=60, check=False)
    report.check("quire sim --replay of a failure", done.returncode == 1, done.stdout)


def check_list(report):
    done = subprocess.run([QUIRE, "sim", "--list"], stdout=subprocess.PIPE, text=True, timeout=60,
                          check=False)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    report.check("quire sim --list", done.returncode == 0 and len(names) == len(set(names)) >= 40)
    sim(report, "one scenario", "--scenario", names[0], "--seconds", "1")
    sim(report, "one class", "--ops", "5000", "--fail", "frame:1:forever")


def check_process_usage(report):
    """What `quire sim --process` refuses."""
    for option, value, word in [("--seed", "x", "not a number"), ("--seconds", "0", "not a number"),
                                ("--traces", "0", "not a number"), ("--jobs", "65", "not a number"),
                                ("--mode", "poll", "signal or handler"), ("--replay", "/is/not/there", "No such")]:
        refuses(report, f"--process {option} {value}", [option, value, word], "--process", option, value)
    for option in (["--ops", "5"], ["--linux"], ["--schedule", "pct"], ["--list"], ["--swap-store", "lz4"]):
        refuses(report, f"--process {' '.join(option)}", [f"{option[0]} isn't for --process"], "--process", *option)
    refuses(report, "--process --json=1", ["--json=1", "takes no value"], "--process", "--json=1")
    refuses(report, "--process --bogus", ["--bogus: no such option"], "--process", "--bogus")
    refuses(report, "--process --seed", ["needs a value"], "--process", "--seed")
    refuses(report, "--save with a file of that name", ["/is/not/there"], "--save", "--process", "--replay", "/is/not/there")
    for option in (["--mode", "signal"], ["--traces", "5"]):
        refuses(report, " ".join(option), [f"{option[0]} is for --process"], *option)
    refuses(report, "--process with a word", ["options only"], "--process", "word")
    path = "build/replay-process.trace"
    with open(path, "w", encoding="utf-8") as file:
        file.write("process seed=1 mode=1 mixed=0 quarters=4 daemons=0 handlers=1 policy=0 overcommit=0 touchers=0\n"
                   "read 1 2 3 4\nread 1 2 3\n")
    refuses(report, "--process --replay says the line", ["line 3"], "--process", "--replay", path)


def of_a_process(report, seconds, *options):
    """Processes that page themselves, against arrays of bytes; and what that once found."""
    for path in sorted(glob.glob("tests/torture/process/*.trace")):
        report.command(f"replay {os.path.basename(path)} of a process", [QUIRE, "sim", "--process", "--replay", path],
                       timeout=300)
    figures = sim(report, "of a process", "--process", "--seconds", str(seconds), *options, timeout=seconds + 600)
    if figures:
        print(f"   {figures['operations']:,} operations of processes that page themselves, {figures['faults']:,} "
              f"faults, {figures['verified']:,} bytes looked at, {figures['system_calls']:,} system calls"
              f"{'' if figures['handler'] else '; not by messages, which this user may not have'}")
        report.check("traces of a process run, and find memory", figures["evicted"] > figures["operations"] > 100
                     and figures["refused"] * 50 < figures["operations"], str(figures))


def beyond_memory(report, seconds, *options):
    """Machines that stop at a write, and processes that want three times the memory there is."""
    figures = sim(report, "stops", "--crash", "--seconds", str(seconds), *options,
                  timeout=seconds + 600)
    if figures:
        print(f"   {figures['stops']:,} stops at a write; {figures['confirmed']:,} numbers that a "
              "sync had confirmed were on the disk")
        report.check("stops that had something to find", figures["confirmed"] > figures["stops"],
                     str(figures))
    figures = sim(report, "pressure", "--pressure", "--seconds", str(seconds), *options,
                  timeout=seconds + 600)
    if figures:
        print(f"   {figures['operations']:,} operations of 16 processes, {figures['verified']:,} "
              f"pages looked at, {figures['evictions']:,} gone; {figures['refused']} operations "
              "found no memory for structures")
        report.check("pages go and come back", figures["evictions"] > figures["pressures"] * 1000,
                     str(figures))


def run(report):
    if not unit.build_in(report, "build"):
        return
    check_usage(report)
    check_replay(report)
    check_list(report)
    check_end(report)
    replay(report)
    figures = sim(report, "campaign", "--seconds", str(SECONDS))
    if figures:
        show(figures)
        check_figures(report, figures)
    all_schedules = sim(report, "two preemptions", "--schedule", "exhaustive")
    if all_schedules:
        print(f"   {all_schedules['schedules']:,} schedules: all with at most two preemptions")
        report.check("each scenario is complete with two preemptions",
                     all_schedules["complete"] == all_schedules["scenarios"],
                     f"{all_schedules['complete']} of {all_schedules['scenarios']}")
    sim(report, "every operation meets a failure", "--ops", "200000", "--fail", "any")
    for store in ("lz4", "zstd", "lz4-device", "checksum"):
        sim(report, f"swap on {store}", "--swap-store", store, "--ops", "40000")
    sim(report, "against Linux", "--linux", "--seconds", str(SECONDS // 2))
    check_process_usage(report)
    of_a_process(report, SECONDS)
    beyond_memory(report, SECONDS // 2)


def run_long(report, seconds):
    if not unit.build_in(report, "build"):
        return
    replay(report)
    figures = sim(report, "long campaign", "--seconds", str(seconds), "--seed",
                  str(int.from_bytes(os.urandom(4), "little")), timeout=seconds + 600)
    if figures:
        print(f"   seed {figures['seed']}")
        show(figures)
    beyond_memory(report, seconds, "--seed", str(int.from_bytes(os.urandom(4), "little")))
    of_a_process(report, seconds, "--seed", str(int.from_bytes(os.urandom(4), "little")))
    sim(report, "against Linux for long", "--linux", "--seconds", str(seconds),
        timeout=seconds + 600)
