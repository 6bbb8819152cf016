# SPDX-License-Identifier: MIT
"""quire doctor: what it says must be what libquire can do, as this user, without rights, and in a filter of calls."""
import contextlib
import ctypes
import errno
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

from parts import unit

sys.path.insert(0, "bench")
import memory_limit  # noqa: E402  pylint: disable=wrong-import-position

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
MODES = {"signal", "handler", "vspace"}
USERFAULTFD, MEMFD_CREATE = 323, 319


@contextlib.contextmanager
def copied_for_nobody(*programs):
    """A directory with copies that any user may read and run; None: there is no other user to be."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        print("    not as another user: that takes root and setpriv")
        yield None
        return
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        for program in programs:
            shutil.copy(program, directory)
        yield directory


def forbid(call, error):
    """By a seccomp filter, as containers do: the call fails so."""
    code = b"".join(struct.pack("HBBI", *step) for step in (
        (0x20, 0, 0, 0), (0x15, 0, 1, call), (0x06, 0, 0, 0x50000 | error), (0x06, 0, 0, 0x7fff0000)))
    steps = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(steps)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def forbid_userfaultfd():
    forbid(USERFAULTFD, errno.EPERM)


def ask(command, *words, **options):
    return subprocess.run([*command, "doctor", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False, **options)


def check_json(report, name, command, **options):
    """What the answer is must fit together. The answer."""
    done = ask(command, "--json", **options)
    answer = json.loads(done.stdout) if done.returncode in (0, 1) else {}
    modes, costs = answer.get("modes", {}), answer.get("costs", {})
    report.check(f"{name}: complete", {"kernel", "user", "userfaultfd", "memory", "modes", "costs", "advice"} <= set(answer)
                 and set(modes) == MODES and set(costs) == MODES | {"plain"}, done.stdout)
    report.check(f"{name}: the status is that of signal mode", done.returncode == (0 if modes.get("signal") else 1),
                 done.stdout)
    report.check(f"{name}: modes that work have a cost", all(costs.get(mode) for mode in MODES if modes.get(mode)),
                 done.stdout)
    return answer


def check_demo(report, name, command, answer, **options):
    """A program may page itself exactly where the doctor says so."""
    done = subprocess.run([*command, "demo", "sort", "--size", "2M", "--budget", "1M"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False, **options)
    report.check(f"{name}: so it is", done.returncode == (0 if answer["modes"]["signal"] else 125), done.stdout)


def check_filter(report, name, command, has_device):
    """Without the call; the device does as well, for who may open it."""
    for error in (errno.EPERM, errno.ENOSYS):
        options = {"preexec_fn": lambda error=error: forbid(USERFAULTFD, error)}
        label = f"{name}, the call fails by {errno.errorcode[error]}"
        answer = check_json(report, label, command, **options)
        check_demo(report, label, command, answer, **options)
        said = ask(command, **options).stdout
        advised = any("a seccomp filter" in text for text in answer["advice"])
        report.check(f"{label}: what can be done", advised != has_device and "CONFIG_USERFAULTFD" not in said, said)
        report.check(f"{label}: what isn't known isn't missing", "missing" not in said
                     and ("not known" in said) != has_device, said)


def check_as_nobody(report):
    with copied_for_nobody("build/quire", "build/quire-demo") as directory:
        if directory is None:
            return
        command = [*NOBODY, f"{directory}/quire"]
        answer = check_json(report, "without rights", command)
        check_demo(report, "without rights", command, answer)
        if not answer["modes"]["handler"]:
            text = " ".join(answer["advice"])
            report.check("without rights: each way to have more", all(way in text for way in (
                "sysctl -w vm.unprivileged_userfaultfd=1", "chmod o+rw /dev/userfaultfd",
                "setcap cap_sys_ptrace+ep FILE")), text)
        if not os.access("/dev/userfaultfd", os.F_OK) or os.stat("/dev/userfaultfd").st_mode & 0o006 == 0:
            check_filter(report, "without rights", command, False)


def check_limit(report):
    """In a memory cgroup of 96 MiB, where one can be made."""
    with contextlib.ExitStack() as stack:
        try:
            options = {"preexec_fn": stack.enter_context(memory_limit.limited(96 << 20))}
        except memory_limit.NotPossible as why:
            print(f"    no limit of memory: {why}")
            return
        answer = check_json(report, "in a memory cgroup", ["build/quire"], **options)
        said = ask(["build/quire"], **options).stdout
    report.check("in a memory cgroup: its limit", answer.get("memory", {}).get("max") == 96 << 20 and "96.0 MiB" in said, said)
    report.check("in a memory cgroup: what to do", any("a memory cgroup limits" in text for text in answer["advice"]),
                 str(answer))


def run(report):
    if not unit.build_in(report, "build"):
        return
    answer = check_json(report, "quire doctor", ["build/quire"])
    check_demo(report, "quire doctor", ["build/quire"], answer)
    said = ask(["build/quire"]).stdout
    report.check("it says what Quire uses", "Quire works here in signal mode: " in said and "; in vspace mode: yes" in said
                 and "A program that asks for no mode" in said, said)
    check_filter(report, "quire doctor", ["build/quire"], os.access("/dev/userfaultfd", os.R_OK | os.W_OK))
    answer = check_json(report, "no files in memory", ["build/quire"],
                        preexec_fn=lambda: forbid(MEMFD_CREATE, errno.EPERM))
    report.check("no vspace mode without files in memory", not answer["modes"]["vspace"], str(answer))
    check_limit(report)
    check_as_nobody(report)
