# SPDX-License-Identifier: MIT
"""The fuzz targets: each over its corpus, and for some seconds beyond it."""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess

from parts.unit import build_in

DIRECTORY = "build/fuzz"
CORPUS = "tests/fuzz/corpus"
SECONDS = 5
SEED = 1
AT_ONCE = 2
# Longer inputs find no more, and take longer.
LIMITS = ["-max_len=2000", "-timeout=20", "-rss_limit_mb=2048", "-len_control=0"]


def targets():
    return sorted(re.findall(r"^  '(\w+)': \[", open("tests/fuzz/meson.build",
                                                     encoding="utf-8").read(), re.M))


def program(target):
    return f"{DIRECTORY}/tests/fuzz/fuzz_{target}"


def build(report):
    return build_in(report, DIRECTORY, "-Dfuzz=true", compiler="clang")


def bytes_of(name):
    """As much of an input as a line can show."""
    with open(name, "rb") as file:
        content = file.read()
    return content[:400].hex() + (f"... ({len(content)} bytes)" if len(content) > 400 else "")


def explain(target, output):
    """What a crash says, where it was in this project, its input and how to see it again."""
    written = re.search(r"Test unit written to (\S+)", output)
    if not written:
        return output
    said = re.findall(r"^.*(?:not so:|contradictions|ERROR|runtime error).*$|^(?:check|sim): .*$",
                      output, re.M)
    places = re.findall(r"^    #\d+ \S+ in (\w+) \S*?/(?:\.\./)+(\S+)", output, re.M)
    name = written.group(1)
    return "\n".join(said[:10] + [f"in {function}, {place}" for function, place in places[:10]] +
                     [f"its bytes: {bytes_of(name)}", f"again: {program(target)} {name}"])


def run_target(target, *arguments, timeout):
    """(whether it ended well, what it said)"""
    artifacts = f"{DIRECTORY}/found/{target}"
    os.makedirs(artifacts, exist_ok=True)
    command = [program(target), *LIMITS, f"-artifact_prefix={artifacts}/", *arguments]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return False, f"still running after {timeout} seconds: {' '.join(command)}"
    return done.returncode == 0, done.stdout


def run_corpus(report, target):
    report.check(f"fuzz {target}: there is a corpus", bool(glob.glob(f"{CORPUS}/{target}/*")))
    good, output = run_target(target, "-runs=0", f"{CORPUS}/{target}", timeout=300)
    report.check(f"fuzz {target}: its corpus", good, explain(target, output))


def fuzz(report, target, seconds, grown):
    """Beyond the corpus: what is new is kept in `grown`."""
    os.makedirs(grown, exist_ok=True)
    good, output = run_target(target, f"-seed={SEED}", f"-max_total_time={seconds}",
                              "-print_final_stats=1", grown, f"{CORPUS}/{target}",
                              timeout=seconds + 300)
    report.check(f"fuzz {target}: {seconds} seconds", good, explain(target, output))
    return output


def say_figures(target, output):
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
    rate = re.search(r"stat::average_exec_per_sec:\s*(\d+)", output)
    edges = re.findall(r" cov: (\d+)", output)
    if runs and rate and edges:
        print(f"    {target:10} {int(runs.group(1)):10,} runs, {int(rate.group(1)):7,} a second, "
              f"{int(edges[-1]):6,} edges", flush=True)


def run(report):
    if not build(report):
        return

    def for_some_seconds(target):
        grown = f"{DIRECTORY}/new/{target}"
        run_corpus(report, target)
        shutil.rmtree(grown, ignore_errors=True)
        fuzz(report, target, SECONDS, grown)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(for_some_seconds, targets()))


def run_long(report, seconds):
    """What is found stays in build/fuzz/grown, and the next long run goes on from there."""
    if not build(report):
        return
    names = targets()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        outputs = pool.map(lambda name: fuzz(report, name, seconds, f"{DIRECTORY}/grown/{name}"),
                           names)
        for target, output in zip(names, outputs):
            say_figures(target, output)
