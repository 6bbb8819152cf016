# SPDX-License-Identifier: MIT
"""The build itself, and the tests that meson knows: cmocka's programs."""
import concurrent.futures
import json
import os
import re
import subprocess

CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (?!\d+ test)(.*)$", re.M)


def build_in(report, directory, *options, compiler="cc", targets=()):
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        if not report.command(f"meson setup {directory}", ["meson", "setup", directory, *options],
                              env={**os.environ, "CC": compiler}):
            return False
    return report.command(f"ninja -C {directory}", ["ninja", "-C", directory, *targets], timeout=900)


def build(report):
    if build_in(report, "build"):
        for name in ("build/quire", "build/quire-kernel.elf"):
            report.check(name, os.path.exists(name), "it wasn't built")


def run_clang(report):
    """The other compiler: without warnings, too, and its kernel works."""
    directory = "build/clang"
    if build_in(report, directory, compiler="clang"):
        report.command("clang's kernel", [f"{directory}/quire", "boot", "--timeout", "60", "--",
                                          "busybox", "sh", "-c", "[ $(seq 99 | wc -l) = 99 ]"])
        run_all(report, directory)


def output_of(test):
    """None: it takes too long."""
    try:
        return subprocess.run(test["cmd"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=600, check=False,
                              env={**os.environ, **test["env"]}, cwd=test["workdir"] or ".")
    except subprocess.TimeoutExpired:
        return None


def count(report, name, done):
    """The cases of a program that has run."""
    if not done:
        report.failed(name, "still running after 600 seconds")
        return
    passed = CMOCKA_PASSED.search(done.stdout)
    failed = sorted(set(CMOCKA_FAILED.findall(done.stdout)))
    if passed:
        report.passed(int(passed.group(1)))
    for case in failed:
        said = done.stdout.rpartition(f"[ RUN      ] {case}\n")[2]
        report.failed(f"{name}: {case}", said.partition(f"[  FAILED  ] {case}")[0])
    if done.returncode != 0 and not failed:
        report.failed(name, f"ended with {done.returncode}\n" + done.stdout[-2500:])
    elif not passed and not failed:
        report.check(name, done.returncode == 0, done.stdout)


def run_programs(report, tests):
    """As many at once as there are CPUs."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for test, done in zip(tests, pool.map(output_of, tests)):
            count(report, test["name"], done)


def is_linux(test):
    """Of the process that pages itself: those have a part of their own."""
    return any(suite.endswith("linux") for suite in test["suite"])


def run_all(report, directory, suite=None):
    listed = subprocess.run(["meson", "introspect", "--tests", directory], stdout=subprocess.PIPE,
                            text=True, check=False)
    tests = json.loads(listed.stdout) if listed.returncode == 0 else []
    report.check("there are unit tests", bool(tests))
    run_programs(report, [test for test in tests
                          if (f"quire:{suite}" in test["suite"] if suite else not is_linux(test))])


def run(report):
    if build_in(report, "build"):
        run_all(report, "build")


def run_sanitized(report):
    directory = "build/sanitized"
    # gcc warns of what can't happen when it has added its checks: the other builds are strict.
    if build_in(report, directory, "-Dkernel=false", "-Dwerror=false", "-Db_lundef=false",
                "-Db_sanitize=address,undefined"):
        run_all(report, directory)
