# SPDX-License-Identifier: MIT
"""Makes the library of a mutant: compiles the one file, links it with the others' objects."""
import glob
import json
import os
import shlex
import subprocess
from dataclasses import dataclass

BUILD = "build/mutants"
# What the tests load, by the folder of its sources.
LIBRARIES = {"vm": "libquire-sim.so", "vspace": "libquire-vspace-sim.so"}
OPTIONS = ["-Ddefault_library=shared", "-Dkernel=false", "-Dwerror=false", "-Ddebug=false",
           "-Doptimization=1"]

KILLED, SURVIVED, EQUIVALENT, INVALID = "killed", "survived", "equivalent", "invalid"


@dataclass
class Outcome:
    mutant: object
    kind: str
    by: str = ""  # who noticed it, and how

    @property
    def counts(self):
        """Not what no compiler takes, nor what becomes the same code."""
        return self.kind in (KILLED, SURVIVED)


def folder_of(source):
    return source.split("/", 1)[0]


def library_commands():
    """{library: {source: (arguments without its output, object)}} of what the shared libraries are made of."""
    with open(f"{BUILD}/compile_commands.json", encoding="utf-8") as file:
        entries = json.load(file)
    commands = {library: {} for library in LIBRARIES.values()}
    for entry in entries:
        library = os.path.basename(os.path.dirname(entry["output"])).removesuffix(".p")
        if library in commands:
            source = os.path.relpath(os.path.join(entry["directory"], entry["file"]))
            commands[library][source] = (plain(shlex.split(entry["command"])),
                                         os.path.abspath(os.path.join(BUILD, entry["output"])))
    return commands


def plain(command):
    """Without outputs and warnings; paths that hold anywhere."""
    kept, words = [], iter(command)
    for word in words:
        if word in ("-MQ", "-MF", "-o", "-c"):
            next(words)
        elif word.startswith("-I"):
            kept.append("-I" + os.path.abspath(os.path.join(BUILD, word[2:])))
        elif word != "-MD" and not word.startswith("-W"):
            kept.append(word)
    return kept + ["-w"]


class Bench:
    """A directory with a view of the sources in which one file at a time is another."""

    def __init__(self, number, commands):
        self.commands = commands
        self.place = os.path.abspath(f"{BUILD}/bench-{number}")
        self.object = os.path.join(self.place, "changed.o")
        for folder in LIBRARIES:
            for source in glob.glob(f"{folder}/**/*.[ch]", recursive=True):
                self.put_back(source)

    def put_back(self, source):
        view = os.path.join(self.place, source)
        os.makedirs(os.path.dirname(view), exist_ok=True)
        if os.path.lexists(view):
            os.remove(view)
        os.symlink(os.path.abspath(source), view)

    def compile(self, source, text):
        """The object's bytes; None: the compiler refuses it. As text None: the file as it is."""
        view = os.path.join(self.place, source)
        if text is not None:
            os.remove(view)
            with open(view, "w", encoding="utf-8") as file:
                file.write(text)
        arguments, _ = self.commands[LIBRARIES[folder_of(source)]][source]
        done = subprocess.run([*arguments, "-c", source, "-o", self.object], cwd=self.place,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        self.put_back(source)
        if done.returncode != 0:
            return None
        with open(self.object, "rb") as file:
            return file.read()

    def link(self, source):
        """With the last compiled object in place of this source's, alone. Whether it could be linked."""
        library = LIBRARIES[folder_of(source)]
        for old in glob.glob(os.path.join(self.place, "*.so")):
            os.remove(old)
        objects = [self.object if name == source else made
                   for name, (_, made) in self.commands[library].items()]
        done = subprocess.run(["cc", "-shared", f"-Wl,-soname,{library}", "-o",
                               os.path.join(self.place, library), *objects],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0


class Workshop:
    """Several benches over one build, and the objects of the core as it is."""

    def __init__(self, benches, order):
        self.commands = library_commands()
        self.free = [Bench(number, self.commands) for number in range(benches)]
        self.order = order
        # Compiled at each bench's own place, since a path may be part of an object.
        self.unchanged = {}

    def same_code(self, bench, source, made):
        key = (bench.place, source)
        if key not in self.unchanged:
            self.unchanged[key] = bench.compile(source, None)
        return made == self.unchanged[key]

    def judge(self, mutant):
        bench = self.free.pop()
        try:
            return self.judge_at(bench, mutant)
        finally:
            self.free.append(bench)

    def judge_at(self, bench, mutant):
        source = mutant.source.name
        self.same_code(bench, source, b"")
        made = bench.compile(source, mutant.text)
        if made is None:
            return Outcome(mutant, INVALID)
        if self.same_code(bench, source, made):
            return Outcome(mutant, EQUIVALENT)
        if not bench.link(source):
            return Outcome(mutant, INVALID)
        for killer in self.order.of(source):
            said = killer.notices(bench.place)
            if said:
                self.order.learn(source, killer)
                return Outcome(mutant, KILLED, f"{killer.name}: {said}")
        return Outcome(mutant, SURVIVED)
