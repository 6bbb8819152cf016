# SPDX-License-Identifier: MIT
"""Processes of this host that page themselves, as this user and, for root, as one without rights."""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile

from parts import unit

WITHOUT_RIGHTS = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
SKIPPED = re.compile(r"^skipped: (.*)$", re.M)


def show_skipped(said):
    for reason in sorted(set(SKIPPED.findall(said))):
        print(f"    skipped: {reason}")


def output_of(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=600, check=False)


def run_programs(report, commands):
    """{name: command}, as many at once as there are CPUs."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, done in zip(commands, pool.map(output_of, commands.values())):
            show_skipped(done.stdout)
            report.check(name, done.returncode == 0, done.stdout[-2500:])


def run_program(report, command, name):
    run_programs(report, {name: command})


def as_nobody(report, programs):
    """The same programs, copied to where nobody may read them."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        print("    not as another user: that takes root and setpriv")
        return
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        run_programs(report, {f"{os.path.basename(program)} without rights":
                              [*WITHOUT_RIGHTS, shutil.copy(program, directory)] for program in programs})
        torture = shutil.copy("build/quire-process", directory)
        run_program(report, [*WITHOUT_RIGHTS, torture, "sim", "--process", "--seconds", "5"],
                    "traces of a process without rights")


def check_installed(report):
    """A program that finds the library by pkg-config, as installed, works; and nothing else is to be seen."""
    with tempfile.TemporaryDirectory() as root:
        if not report.command("meson install", ["meson", "install", "-C", "build", "--destdir", root,
                                                "--no-rebuild", "--quiet"], timeout=120):
            return
        found = subprocess.run(["find", root, "-name", "quire.pc"], stdout=subprocess.PIPE, text=True,
                               check=True).stdout.strip()
        environment = {**os.environ, "PKG_CONFIG_PATH": os.path.dirname(found),
                       "PKG_CONFIG_SYSROOT_DIR": root, "LD_LIBRARY_PATH":
                       os.path.dirname(os.path.dirname(found))}
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "quire"], stdout=subprocess.PIPE,
                               text=True, env=environment, check=False).stdout.split()
        program, data = f"{root}/count", f"{root}/data"
        report.command("the example finds the library",
                       ["cc", "-Wall", "-Wextra", "-Werror", "examples/process.c", *flags, "-o", program])
        with open(data, "wb") as file:
            file.write(b"quire gathers pages\n" * 2_000_000)
        report.command("the example", [program, data, "--upper"], env=environment, timeout=120)
        with open(data, "rb") as file:
            report.check("the example's file", file.read() == b"QUIRE GATHERS PAGES\n" * 2_000_000)
        check_files_without_bytes(report, root, program, environment)
        own = f"{root}/self_paging"
        if report.command("the one that pages itself finds it", ["cc", "-Wall", "-Wextra", "-Werror", "examples/self_paging.c",
                                                                 *flags, "-o", own]):
            report.command("and does", [own], env=environment, timeout=120)
        small = f"{root}/small_stack"
        if report.command("one with little stack finds it", ["cc", "-Wall", "-Wextra", "-Werror", "tests/linux/small_stack.c",
                                                             *flags, "-o", small]):
            report.command("and has enough", [small], env=environment, timeout=120)
        check_headers(report, root)
        check_stores_alone(report, root, environment)
        check_static(report, root, environment)
        check_installed_command(report, root)
        check_names(report, "the library", ["nm", "-D", "--defined-only", "build/host/linux/libquire.so"])
        check_names(report, "the static library", ["nm", "-g", "--defined-only", found.replace("pkgconfig/quire.pc", "libquire.a")])


def check_files_without_bytes(report, root, program, environment):
    """An example says what is wrong with its file."""
    with open(f"{root}/empty", "wb"):
        pass
    for example in (program, "build/examples/mapped_file"):
        for file, words in (("empty", "has no bytes"), ("missing", "No such file")):
            done = subprocess.run([example, f"{root}/{file}"], stderr=subprocess.PIPE, text=True, env=environment,
                                  timeout=60, check=False)
            report.check(f"{os.path.basename(example)} of a file that is {file}", done.returncode == 1
                         and words in done.stderr and "usage" not in done.stderr, f"{done.returncode} {done.stderr}")


def shown_names():
    """What the version script lists, as one regular expression."""
    with open("host/linux/quire.map", encoding="utf-8") as file:
        listed = re.search(r"global:(.*?)local:", file.read(), re.S).group(1)
    return "|".join(name.replace("*", r"\w*") for name in re.findall(r"[\w*]+(?=;)", listed))


def check_names(report, library, command):
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    names = [line for line in lines if re.match(r"[0-9a-f]+ \w ", line)]
    strange = [line for line in names if not re.search(rf" ({shown_names()}|QUIRE_0)(@@QUIRE_0)?$", line)]
    missing = "" if any(line.endswith(" quire_map") or " quire_map@" in line for line in names) else "no quire_map"
    report.check(f"{library} shows its own names only", names and not strange and not missing,
                 "\n".join(strange) + missing)


def check_static(report, root, environment):
    """The same with all of it in the program."""
    flags = subprocess.run(["pkg-config", "--static", "--cflags", "--libs", "quire"],
                           stdout=subprocess.PIPE, text=True, env=environment, check=False).stdout.split()
    program = f"{root}/static"
    if report.command("an example is linked with -static", ["cc", "-static", "-Wall", "-Wextra", "-Werror",
                                                            "examples/mapped_file.c", *flags, "-o", program]):
        report.command("and works", [program], timeout=120)
        kind = subprocess.run(["readelf", "--dynamic", program], stdout=subprocess.PIPE, text=True, check=True)
        report.check("and needs no library", "(NEEDED)" not in kind.stdout, kind.stdout)


def check_headers(report, root):
    """Each alone, in C and in C++."""
    headers = sorted(glob.glob(f"{root}/**/include/quire/*.h", recursive=True))
    report.check("the headers are installed", len(headers) >= 9, str(headers))
    for header in headers:
        for language in ("c", "c++"):
            report.command(f"{os.path.basename(header)} in {language}", ["clang", "-x", language, "-Wall", "-Wextra", "-Werror", "-Wc11-extensions",
                           "-fsyntax-only", "-I", os.path.dirname(os.path.dirname(header)), header])


def check_stores_alone(report, root, environment):
    """The stores without a process that pages itself: the program has the hooks that they need."""
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "quire_stores"], stdout=subprocess.PIPE, text=True,
                           env=environment, check=False).stdout.split()
    program = f"{root}/computed_store"
    if report.command("an example finds the stores alone", ["cc", "-Wall", "-Wextra", "-Werror",
                                                           "examples/computed_store.c", *flags, "-o", program]):
        report.command("and works with them", [program], timeout=120)


def check_installed_command(report, root):
    """The command finds what belongs to it, and the manual pages are where man looks."""
    there = {os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root)
             for name in names}
    command = next((os.path.join(root, name) for name in there if name.endswith("bin/quire")), "")
    report.command("the installed command's demo", [command, "demo", "sort", "--size", "16M", "--budget", "4M"],
                   timeout=120)
    report.command("the installed command's kernel", [command, "boot", "--", "busybox", "true"], timeout=120)
    missing = [page for page in ("man1/quire.1", "man3/quire.3", "man7/quire_store.7")
               if not any(name.endswith("/" + page) for name in there)]
    report.check("the manual pages are installed", not missing, str(missing))


CHECKED = ("-Dkernel=false", "-Dwerror=false", "-Db_lundef=false")
# Of the tests of the Linux process, those in which threads meet. Of the others some ask for what ThreadSanitizer takes
# away: handlers with the mask, the stack and at the time that Linux gives them, and where memory is mapped; or write
# files from pages that others write, of which it thinks for milliseconds each time.
RACES = ["ahead", "away", "budget", "flush", "fork", "late", "mappings", "memory", "ranges", "snapshot", "storm", "system",
         "threads"]


# ThreadSanitizer ends a process where a thread that nobody joins has gone, but not from its list, and the next has its id.
OWN_FAILURE = "dup thread with used id"


def check_traces(report, directory):
    """Traces of processes that page themselves, and of plain mmap beside the core."""
    commands = {option: [f"{directory}/quire", "sim", option, "--quiet", "--seconds", "10", "--save",
                         f"{directory}/failed{option}.trace"] for option in ("--process", "--linux")}
    with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
        for option, done in zip(commands, pool.map(output_of, commands.values())):
            if OWN_FAILURE in done.stdout:
                run_program(report, commands[option], f"traces of {option} in {directory}, again")
            else:
                report.check(f"traces of {option} in {directory}", done.returncode == 0, done.stdout[-2500:])


def run_checked(report, directory, programs, environment):
    """These programs, and traces, in a build with a checker, which ends a process that it has found something in."""
    os.environ.update(environment)
    run_programs(report, {f"{os.path.basename(program)} in {directory}": [program] for program in programs})
    check_traces(report, directory)
    for name in environment:
        del os.environ[name]


def run_sanitized(report):
    """With address and undefined-behaviour checks; and under a checker of races."""
    directory, commands = "build/sanitized", ["quire", "quire-process"]
    if not unit.build_in(report, directory, *CHECKED, "-Db_sanitize=address,undefined", targets=commands):
        return
    # Those of vspace/ are at addresses that AddressSanitizer has for itself.
    programs = [test["cmd"][0] for test in linux_tests(directory) if not test["name"].startswith("linux vspace ")]
    if unit.build_in(report, directory, targets=[os.path.relpath(program, directory) for program in programs]):
        run_checked(report, directory, programs,
                    {"ASAN_OPTIONS": "detect_leaks=0:use_sigaltstack=0", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})
    directory = "build/threads"
    programs = [f"tests/linux/linux_{name}" for name in RACES] + ["tests/vspace/linux_vspace_race"]
    if unit.build_in(report, directory, *CHECKED, "-Db_sanitize=thread", targets=commands + programs):
        run_checked(report, directory, [f"{directory}/{program}" for program in programs],
                    {"TSAN_OPTIONS": "halt_on_error=1:die_after_fork=0:suppressions="
                     + os.path.abspath("tests/linux/races.txt")})


def linux_tests(directory):
    listed = subprocess.run(["meson", "introspect", "--tests", directory], stdout=subprocess.PIPE, text=True, check=True)
    return [test for test in json.loads(listed.stdout) if unit.is_linux(test)]


def run(report):
    if not unit.build_in(report, "build"):
        return
    tests = linux_tests("build")
    report.check("there are tests of the Linux process", bool(tests))
    unit.run_programs(report, tests)
    as_nobody(report, [test["cmd"][0] for test in tests])
    check_installed(report)
