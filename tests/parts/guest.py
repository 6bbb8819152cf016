# SPDX-License-Identifier: MIT
"""Programs in the reference kernel, against what this host answers to the same."""
import os
import re
import shutil
import subprocess
import tempfile

TEXTS = "/usr/share/common-licenses"
SCRIPTS = os.path.abspath("tests/guest/scripts")
QUIRE = os.path.abspath("build/quire")
STATUS = {122: "frames were lost", 123: "the kernel stopped", 124: "it took too long",
          125: "quire failed", 126: "quire can't run it", 127: "quire can't find it"}


def boot(*arguments, timeout=300, **options):
    """Runs `quire boot`; what came by standard output and error, and the status."""
    return subprocess.run([QUIRE, "boot", "--timeout", str(timeout), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", stdin=options.pop("stdin", subprocess.DEVNULL),
                          check=False, **options)


def limit_stack():
    """The stack limit that the kernel gives, so that both overflow at the same depth."""
    import resource
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, hard))


def run_here(arguments, directory, path="/bin"):
    """The same on this host: an empty environment, in a directory of its own."""
    return subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, cwd=directory, check=False,
                          preexec_fn=limit_stack, timeout=300,
                          env={"PATH": path, "HOME": "/", "PWD": directory})


def compare(report, name, expected, got):
    """One case: the same lines."""
    if expected == got:
        report.passed()
        return
    for number, (here, there) in enumerate(zip(expected + ["(nothing)"], got + ["(nothing)"])):
        if here != there:
            report.failed(name, f"line {number + 1}\n  host   {here}\n  kernel {there}")
            return
    report.failed(name, f"{len(expected)} lines here, {len(got)} there")


def check_end(report, name, done):
    """One case: the program came to its end, and no frame was lost."""
    text = STATUS.get(done.returncode, f"status {done.returncode}")
    report.check(f"{name}: the run", done.returncode == 0, f"{text}\n{done.stderr[-2000:]}")


def by_case(text):
    """The lines of each case; those that another program wrote in one belong to it."""
    cases, current = {}, None
    for line in text.splitlines():
        name = line.split(":", 1)[0]
        if re.fullmatch(r"\w+\.\w+", name):
            current = name
        cases.setdefault(current, []).append(line)
    return cases


def run_cases(report):
    for library in ("glibc", "musl"):
        program = os.path.abspath(f"build/tests/guest/cases-{library}")
        if not report.check(program, os.path.exists(program), "it wasn't built"):
            continue
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(os.path.join(directory, "tmp"))
            here = by_case(run_here([program], directory).stdout)
        done = boot("--", program)
        there = by_case(done.stdout)
        check_end(report, f"cases-{library}", done)
        for name, lines in here.items():
            compare(report, f"{library} {name}", lines, there.get(name, []))


def run_user_vm(report):
    """A program that checks the user_vm_* calls by itself: a line for each case."""
    done = boot("--", os.path.abspath("build/tests/guest/user-vm"))
    check_end(report, "user-vm", done)
    for line in done.stdout.splitlines():
        report.check(f"user-vm: {line}", line.startswith("ok "), "")
    done = boot("--", os.path.abspath("build/examples/regions"))
    check_end(report, "the example", done)
    report.check("the example's words", "written through one region" in done.stdout
                 and '"ELF"' in done.stdout, done.stdout)


def run_vspace(report):
    """Programs that page themselves: a line for each test, and the number of all behind the last."""
    programs = sorted(name for name in os.listdir("build/tests/guest") if re.fullmatch(r"vspace-\w+", name))
    report.check("there are tests of vspace/", len(programs) >= 8, str(programs))
    for name in programs:
        done = boot("--", os.path.abspath(f"build/tests/guest/{name}"))
        check_end(report, name, done)
        *tests, last = done.stdout.splitlines() or [""]
        for line in tests:
            report.check(f"{name}: {line}", line.startswith("ok "), done.stdout[-2000:])
        report.check(f"{name}: the end", last == f"all {len(tests)}", done.stdout[-2000:])
    done = boot("--", os.path.abspath("build/tests/guest/self-paging"))
    check_end(report, "the example", done)
    report.check("the example's words", "64 pages in 8 frames: 192 faults" in done.stdout, done.stdout)


def by_script(text):
    scripts, current = {}, None
    for line in text.splitlines():
        if line.startswith("=== scripts/"):
            current = line[len("=== scripts/"):]
        elif current:
            scripts.setdefault(current, []).append(line)
    return scripts


def scripts_here():
    """The driver's output on this host, where busybox has all its names on the path."""
    with tempfile.TemporaryDirectory() as directory:
        names = os.path.join(directory, "bin")
        for name in ("bin", "tmp"):
            os.mkdir(os.path.join(directory, name))
        os.symlink(SCRIPTS, os.path.join(directory, "scripts"))
        os.symlink(TEXTS, os.path.join(directory, "texts"))
        busybox = shutil.which("busybox")
        subprocess.run([busybox, "--install", "-s", names], check=True)
        return run_here([busybox, "sh", "scripts/driver"], directory, names).stdout


def run_scripts(report):
    here = by_script(scripts_here())
    done = boot("--file", f"{SCRIPTS}:/scripts", "--file", f"{TEXTS}:/texts", "--", "busybox", "sh",
                "scripts/driver")
    check_end(report, "scripts", done)
    there = by_script(done.stdout)
    for name, lines in here.items():
        compare(report, name, lines, there.get(name, []))
