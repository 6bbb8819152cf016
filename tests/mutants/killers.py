# SPDX-License-Identifier: MIT
"""The test programs that are to notice a mutant, and which of them to ask first."""
import json
import os
import resource
import signal
import subprocess
import threading
from dataclasses import dataclass, field

FAILED = b"[  FAILED  ]"
# For each program: address space in KiB, and processor seconds beside four times what it needs.
MEMORY_LIMIT = 6 << 20
SECONDS = 2


@dataclass
class Killer:
    """A command that ends with 0 where the sources of a folder are as they should be. It loads its library."""
    name: str
    command: list
    folder: str
    environment: dict = field(default_factory=dict)
    usual: float = 1.0  # processor seconds it takes on the core as it is

    def notices(self, library):
        """How it ended badly with the library of this directory, or None."""
        limit = int(SECONDS + 4 * self.usual)
        shell = f'ulimit -c 0; ulimit -t {limit}; ulimit -v {MEMORY_LIMIT}; exec "$@"'
        process = subprocess.Popen(
            ["sh", "-c", shell, "sh", *self.command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, **self.environment, "LD_LIBRARY_PATH": library})
        timer = threading.Timer(20 * limit, end, [process])
        timer.start()
        failed = next((line for line in process.stdout if FAILED in line), None)
        if failed:
            end(process)
        status = process.wait()
        timer.cancel()
        process.stdout.close()
        if failed:
            return failed.split(FAILED)[1].decode(errors="replace").strip()
        if status == -signal.SIGXCPU or status == -signal.SIGKILL:
            return "no end"
        return f"status {status}" if status != 0 else None


def end(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


# For how many random runs a scenario of tests/torture is good here.
RUNS = "100"


# Whose mutants meson's tests notice, by how their names begin.
FOLDERS = {"unit": "vm", "torture": "vm", "vspace": "vspace"}


def meson_tests(directory):
    """The tests of the core and of vspace/, by name."""
    listed = subprocess.run(["meson", "introspect", "--tests", directory], stdout=subprocess.PIPE,
                            text=True, check=True)
    return [Killer(test["name"].removeprefix("unit "), test["cmd"], FOLDERS[test["name"].split()[0]],
                   {**test["env"], "QUIRE_RUNS": RUNS})
            for test in json.loads(listed.stdout) if test["name"].split()[0] in FOLDERS]


def model_tests(directory):
    """Random traces against the model: the whole interface, without and with failing requests."""
    command = [f"{directory}/quire", "sim", "--jobs", "1", "--quiet", "--save", os.devnull]
    return [Killer("model", [*command, "--ops", "100000"], "vm"),
            Killer("model, failures", [*command, "--ops", "30000", "--fail", "any"], "vm")]


def all_killers(directory):
    """Another test that is to notice mutants goes here: a command in this build directory."""
    return meson_tests(directory) + model_tests(directory)


class Order:
    """Learns which program kills mutants of which file in the least time; kept between runs. What
    order it is changes how long a run takes, not what comes out."""

    def __init__(self, killers, place):
        self.killers = killers
        self.place = place
        self.lock = threading.Lock()
        try:
            with open(place, encoding="utf-8") as file:
                self.kills = json.load(file)
        except (OSError, ValueError):
            self.kills = {}

    def worth(self, killer, source):
        stem = os.path.splitext(os.path.basename(source))[0]
        known = self.kills.get(source, {}).get(killer.name, 0)
        everywhere = sum(of.get(killer.name, 0) for of in self.kills.values())
        named = 2 if killer.name.startswith(stem) else 0
        return (known + named + 0.1 * everywhere + 0.1) / killer.usual

    def of(self, source):
        killers = [killer for killer in self.killers if source.startswith(killer.folder + "/")]
        with self.lock:
            return sorted(killers, key=lambda killer: -self.worth(killer, source))

    def learn(self, source, killer):
        with self.lock:
            of = self.kills.setdefault(source, {})
            of[killer.name] = of.get(killer.name, 0) + 1

    def keep(self):
        with open(self.place, "w", encoding="utf-8") as file:
            json.dump(self.kills, file)


def measure(killers, library):
    """Runs each once on the core as it is. Those that don't pass, with what they say."""
    bad = []
    for killer in killers:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = killer.notices(library)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        killer.usual = max(0.02, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if said:
            bad.append(f"{killer.name}: {said}")
    return bad
