# SPDX-License-Identifier: MIT
"""Processes of this host that page themselves, as this user and, for root, as one without rights."""
import json
import os
import re
import shutil
import subprocess
import tempfile

from parts import unit

SKIPPED = re.compile(r"^skipped: (.*)$", re.M)


def show_skipped(said):
    for reason in sorted(set(SKIPPED.findall(said))):
        print(f"    skipped: {reason}")


def run_program(report, command, name):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=600, check=False)
    show_skipped(done.stdout)
    report.check(name, done.returncode == 0, done.stdout[-2500:])


def as_nobody(report, programs):
    """The same programs, copied to where nobody may read them."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        print("    not as another user: that takes root and setpriv")
        return
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        for program in programs:
            copy = shutil.copy(program, directory)
            run_program(report, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                 "--bounding-set=-all", "--inh-caps=-all", copy],
                        f"{os.path.basename(program)} without rights")


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
        check_static(report, root, environment)
        check_installed_command(report, root)
        names = subprocess.run(["nm", "-D", "--defined-only", "build/host/linux/libquire.so"],
                               stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        strange = [line for line in names if not re.search(
            r" (quire_\w+|vm_error_text|vm_policy_\w+|vm_store_\w+|vm_(allocate|free)_frames|host_frame_ptr|QUIRE_0)(@@QUIRE_0)?$", line)
            and line.split()[-1].split("@")[0] not in public_names()]
        report.check("the library shows its own names only", names and not strange, "\n".join(strange))


def public_names():
    """The functions that vspace.h and its parts declare, and those of vm.h for frames' bytes."""
    names = {"vm_get_physical_page", "vm_put_physical_page"}
    for header in ("vspace", "memobj", "errval"):
        with open(f"include/quire/{header}.h", encoding="utf-8") as file:
            names |= set(re.findall(r"\b(\w+)\(", re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)))
    return names


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


def check_doctor(report):
    done = subprocess.run(["build/quire", "doctor", "--json"], stdout=subprocess.PIPE, text=True,
                          timeout=60, check=False)
    answer = json.loads(done.stdout) if done.returncode in (0, 1) else {}
    report.check("quire doctor --json is complete",
                 {"kernel", "user", "userfaultfd", "modes", "costs", "advice"} <= set(answer),
                 done.stdout)
    report.command("quire doctor", ["build/quire", "doctor"], timeout=60)


def run(report):
    if not unit.build_in(report, "build"):
        return
    listed = subprocess.run(["meson", "introspect", "--tests", "build"], stdout=subprocess.PIPE,
                            text=True, check=True)
    tests = [test for test in json.loads(listed.stdout) if unit.is_linux(test)]
    report.check("there are tests of the Linux process", bool(tests))
    for test in tests:
        unit.run_program(report, test)
    as_nobody(report, [test["cmd"][0] for test in tests])
    check_installed(report)
    check_doctor(report)
