# SPDX-License-Identifier: MIT
"""Programs that want more than there is. The kernel goes on, and has every frame back at the end:
otherwise `quire boot` ends with a status of its own."""
import os
import re

from parts.guest import STATUS, boot


def survives(report, name, script, expected, status=0, memory="16M", swap=None):
    """One case: a shell script prints this, and ends so."""
    done = boot("--memory", memory, *(("--swap", swap) if swap else ()), "--", "busybox", "sh", "-c", script, timeout=90)
    said = STATUS.get(done.returncode, f"status {done.returncode}")
    report.check(name, done.returncode == status and done.stdout == expected,
                 f"{said}, expected {status}\n{done.stdout}{done.stderr[-1500:]}")
    return done.stderr


def runs(report, name, program, *arguments, expected):
    """One case: a program of tests/guest comes to its end."""
    path = os.path.abspath(f"build/tests/guest/{program}")
    done = boot("--file", f"{path}:/program", "--", path, *arguments, timeout=120)
    said = STATUS.get(done.returncode, f"status {done.returncode}")
    report.check(name, done.returncode == 0 and done.stdout.endswith(expected),
                 f"{said}\n{done.stdout[-500:]}{done.stderr[-1500:]}")


def takes_all(report, name, *options):
    """One case: memory that nobody promised runs out; one process ends for it, and a line says why."""
    path = os.path.abspath("build/tests/guest/take-memory")
    done = boot("--memory", "16M", *options, "--", path, timeout=90)
    said = STATUS.get(done.returncode, f"status {done.returncode}")
    report.check(name, done.returncode == 137 and "out of memory: process" in done.stderr,
                 f"{said}, expected 137\n{done.stderr[-1500:]}")


def ends_one_and_goes_on(report):
    """One case: a program that takes all memory and swap is ended, a line says which and why, and the shell that
    waits for it goes on."""
    program = os.path.abspath("build/tests/guest/take-memory")
    done = boot("--memory", "16M", "--swap", "8M", "--debug", "check", "--file", f"{program}:/take-memory", "--",
                "busybox", "sh", "-c", "/take-memory; echo $?; seq 3000 | sort -n | tail -n 1", timeout=90)
    said = re.findall(r"^out of memory: process \d+ \((\S+)\), the largest with (\d+) KiB, is ended$", done.stderr,
                      re.M)
    report.check("a memory hog beside a shell", done.returncode == 0 and done.stdout == "137\n3000\n" and
                 len(said) == 1 and said[0][0] == "take-memory" and int(said[0][1]) > 16 << 10 and
                 "0 contradictions" in done.stderr,
                 f"{STATUS.get(done.returncode, done.returncode)}\n{done.stdout}{done.stderr[-1500:]}")


def ends_a_long_write(report):
    """One case: a single write of 256 MiB to the console lets others run, and can be killed."""
    done = boot("--memory", "1G", "--", "busybox", "sh", "-c",
                "dd if=/dev/zero bs=256M count=1 2>/dev/null & sleep 2; kill -9 $!; wait; echo ended",
                timeout=100)
    written = len(done.stdout)
    report.check("a long write to the console", done.returncode == 0 and
                 done.stdout.endswith("ended\n") and written < 100 << 20,
                 f"{STATUS.get(done.returncode, done.returncode)}, {written} bytes\n{done.stderr[-500:]}")


def run(report):
    for seed in ("1", "2"):
        runs(report, f"random system calls, seed {seed}", "random-calls", seed, "40", "60",
             expected="40 children\n")
        runs(report, f"hostile programs, seed {seed}", "hostile-elf", "/program", seed, "150",
             expected="150 files\n")
    runs(report, "a text of /proc isn't a program", "exec-proc", expected="not executed\n")
    ends_a_long_write(report)
    survives(report, "a program that wants all memory is refused it",
             "tail /dev/zero 2>/dev/null; echo $?; seq 3 | tail -n 1", "1\n3\n")
    takes_all(report, "a program that takes all memory is ended")
    takes_all(report, "a program that takes all memory and swap is ended", "--swap", "8M")
    ends_one_and_goes_on(report)
    survives(report, "a program that is refused memory",
             "(x=a; while true; do x=$x$x; done) 2>/dev/null; echo here", "here\n")
    survives(report, "processes without end",
             "b() { b | b & }; b 2>/dev/null; sleep 2; exit 5", "", status=5)
    survives(report, "processes without end, and swap",
             "b() { b | b & }; b 2>/dev/null; sleep 5; exit 5", "", status=5, swap="32M")
    survives(report, "a file larger than memory",
             "dd if=/dev/zero of=/tmp/large bs=64k count=1000 2>/dev/null; "
             "rm /tmp/large; dd if=/dev/zero of=/tmp/small bs=64k count=10 2>/dev/null && echo room",
             "room\n")
    survives(report, "files without end",
             "i=0; while : >/tmp/f$i; do i=$((i + 1)); [ $i = 3000 ] && break; done 2>/dev/null; "
             "echo still here", "still here\n")
    survives(report, "open files without end",
             "cat $(yes /proc/self/maps | head -n 3000) >/dev/null 2>&1; echo here", "here\n")
    survives(report, "a pipe that nobody reads", "(yes | sleep 1); echo here", "here\n")
    survives(report, "many processes at once",
             "i=0; while [ $i -lt 40 ]; do sleep 1 & i=$((i + 1)); done; wait; echo $i", "40\n",
             memory="64M")
    for memory in ("5200K", "6M", "7M", "8M"):
        done = boot("--memory", memory, "--", "busybox", "echo", "hello", timeout=60)
        report.check(f"{memory} of memory", done.returncode not in (122, 123, 124, 125),
                     f"{done.returncode}\n{done.stderr}")
