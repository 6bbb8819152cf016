# SPDX-License-Identifier: MIT
"""quire demo sort: a process that pages itself, over each store, as a user sees it."""
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

from parts import unit
from parts.doctor import NOBODY, copied_for_nobody, forbid_userfaultfd
from parts.tool import QUIRE, quire, refuses

SMALL = ("--size", "64M", "--budget", "8M")
MIB = 1 << 20
NO_USERFAULTFD = ("can't page itself here", "quire doctor")


def check_figures(report, name, command, store):
    done = subprocess.run([*command, "demo", "sort", *SMALL, "--store", store, "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300,
                          check=False)
    if not report.check(name, done.returncode == 0, f"{done.returncode}\n{done.stdout}{done.stderr}"):
        return {}
    figures = json.loads(done.stdout)
    report.check(f"{name}: sorted, and the same records", figures["sorted"] and figures["same_set"]
                 and figures["records"] == 32 * MIB // 64 and figures["runs"] == 16, done.stdout)
    report.check(f"{name}: no more memory than budget and store", 0 < figures["peak_rss"]
                 < 8 * MIB + figures["store_bytes"] + 16 * MIB, done.stdout)
    report.check(f"{name}: it did page", figures["pages_evicted"] > 56 * MIB // 4096
                 and figures["faults"] > 10_000 and figures["pages_read"] > 10_000, done.stdout)
    return figures


def check_stores(report):
    with tempfile.TemporaryDirectory() as directory:
        found = {store: check_figures(report, f"demo sort on {store.split(':')[0]}", [QUIRE], store)
                 for store in ("lz4", "zstd", "memory", f"file:{directory}/sort")}
        report.check("the demo's file is gone again", not os.listdir(directory))
    sums = {figures.get("checksum") for figures in found.values()}
    report.check("all stores give the same checksum", len(sums) == 1, str(sums))
    sizes = [found[store].get("store_bytes", 0) for store in ("zstd", "lz4", "memory")]
    report.check("zstd's is smaller than lz4's, and that than memory", sizes == sorted(set(sizes)),
                 str(sizes))


def check_as_nobody(report):
    with copied_for_nobody(QUIRE, os.path.join(os.path.dirname(QUIRE), "quire-demo")) as directory:
        if directory is None:
            return
        command = [*NOBODY, os.path.join(directory, "quire")]
        check_figures(report, "demo sort without rights", command, "lz4")
        done = subprocess.run([*command, "demo", "sort", "--store", f"file:{directory}/x"],
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        filtered = subprocess.run([*command, "demo", "sort"], stderr=subprocess.PIPE, text=True, timeout=60,
                                  check=False, preexec_fn=forbid_userfaultfd)
        report.check("no userfaultfd without rights", filtered.returncode == 125
                     and all(words in filtered.stderr for words in NO_USERFAULTFD), filtered.stderr)
        report.check("a path that can't be written", done.returncode == 125
                     and "Permission denied; give a path" in done.stderr, done.stderr)


def check_refusals(report):
    for words, said in [
            ((), "there is quire demo sort"), (("tetris",), "demo tetris"),
            (("sort", "--size", "much"), "not a size"), (("sort", "--size", "12K"), "at least 1M"),
            (("sort", "--size", "0"), "at least 1M"), (("sort", "--size", "1028K"), "multiple of 8K"),
            (("sort", "--size", "2000G"), "more than 1024G"), (("sort", "--budget", "-1"), "not a size"),
            (("sort", "--budget", "64K"), "at least 1M"), (("sort", "--budget", "900G"), "of memory that this machine has"),
            (("sort", "--size", "1G", "--budget", "1M"), "give --budget 8M"),
            (("sort", "--store", "tape"), "file:PATH, zstd, lz4 or memory"),
            (("sort", "--store", "file:"), "no path; write file:PATH"),
            (("sort", "--store", "file"), "no path; write file:PATH"),
            (("sort", "--store", "disk"), "no such store"),
            (("sort", "--store", "file:/is/not/there"), "No such file or directory; give a path"),
            (("sort", "--store", "file:/etc/passwd"), "would be overwritten"),
            (("sort", "--seed", "x"), "not a number"), (("sort", "--seed", "-1"), "not a number"),
            (("sort", "--seed"), "needs a value"), (("sort", "--json=1"), "takes no value"),
            (("sort", "--bogus"), "no such option"), (("sort", "-x"), "no such option"),
            (("sort", "more"), "one word too many")]:
        refuses(report, f"demo {' '.join(words)}", 125, [said], "demo", *words)
    refuses(report, "a budget that is just enough to merge", 125, ["/is/not/there"], "demo", "sort", "--size",
            "1G", "--budget", "8M", "--store", "file:/is/not/there")
    if not os.access("/dev/userfaultfd", os.R_OK | os.W_OK):
        refuses(report, "no userfaultfd", 125, NO_USERFAULTFD, "demo", "sort", preexec_fn=forbid_userfaultfd)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([QUIRE, "demo", "sort", "--size", "2M", "--budget", "2M"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    report.check("the report can't be written", done.returncode == 125 and "No space left" in done.stderr,
                 f"{done.returncode} {done.stderr}")
    with tempfile.TemporaryDirectory() as alone:
        lonely = shutil.copy(QUIRE, alone)
        done = subprocess.run([lonely, "demo", "sort"], stderr=subprocess.PIPE, text=True, timeout=60,
                              check=False)
    report.check("quire-demo is missing", done.returncode == 125 and "./dev build" in done.stderr, done.stderr)


def check_full_disk(report):
    """In a file system of 16 MiB, where this user may have one."""
    with tempfile.TemporaryDirectory() as directory:
        script = f"mount -t tmpfs -o size=16M tmpfs {directory} && exec \"$@\""
        shell = ["unshare", "--mount", "sh", "-c", script, "sh"]
        if os.geteuid() != 0 or subprocess.run([*shell, "true"], stderr=subprocess.DEVNULL,
                                               check=False).returncode != 0:
            print("    no full disk: that takes root and a mount")
            return
        done = subprocess.run([*shell, QUIRE, "demo", "sort", *SMALL, "--store", f"file:{directory}/x"],
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    report.check("a full disk", done.returncode == 125 and "no room for 64M" in done.stderr, done.stderr)


def check_limit_of_files(report):
    """`ulimit -f`: what takes a file beyond it is a signal, unless somebody sees to that."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        done = subprocess.run(["sh", "-c", "ulimit -f 100 && exec \"$@\"", "sh", QUIRE, "demo", "sort", *SMALL, "--store",
                               f"file:{directory}/x"], stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        report.check("a limit of files", done.returncode == 125 and "no room for 64M" in done.stderr
                     and "File too large" in done.stderr and not os.listdir(directory), f"{done.returncode} {done.stderr}")


def with_file(directory):
    """One under way that has begun to use its file, and the file's way in /proc."""
    process = subprocess.Popen([QUIRE, "demo", "sort", "--size", "1G", "--budget", "16M", "--store",
                                f"file:{directory}/sort"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    folder = f"/proc/{process.pid}/fd"
    for _ in range(600):
        for name in os.listdir(folder):
            if os.readlink(f"{folder}/{name}") == f"{directory}/sort (deleted)":
                time.sleep(1)
                return process, f"{folder}/{name}"
        time.sleep(0.05)
    return process, None


def check_trouble(report):
    """A store that fails under way, and an interruption."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        process, path = with_file(directory)
        if report.check("the demo's file has no name", path is not None and not os.listdir(directory)):
            os.truncate(path, 0)
        _, said = process.communicate(timeout=120)
        report.check("a store that fails", process.returncode == 125 and "the store failed" in said,
                     f"{process.returncode} {said}")
        process, _ = with_file(directory)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        report.check("an interruption leaves nothing", process.returncode == -signal.SIGINT
                     and not os.listdir(directory) and not said, f"{process.returncode} {said}")


def on_terminal(rows=24, columns=80, size=SMALL, interrupted=False, **environment):
    """What a terminal gets to see. `interrupted`: while the second picture is drawn."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen([QUIRE, "demo", "sort", *size], stdin=theirs, stdout=theirs, stderr=theirs,
                               env={**os.environ, **environment})
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 64 if interrupted else 65536):
            seen += chunk
            if interrupted and b"\033[10A" in seen:
                process.send_signal(signal.SIGINT)
                interrupted = False
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    return process.wait(timeout=60), seen.decode()


def check_interrupted_picture(report):
    for number in range(3):
        status, seen = on_terminal(size=("--size", "256M", "--budget", "32M"), interrupted=True, TERM="xterm", NO_COLOR="")
        picture = seen.split("\033[10A")[-1]
        report.check(f"an interrupted picture is whole, {number}", status == -signal.SIGINT
                     and picture.count("\n") == 10 and picture.endswith("not there yet  "), repr(picture))


def check_picture(report):
    status, seen = on_terminal(TERM="xterm", NO_COLOR="1")
    pictures = seen.split("\033[10A")
    report.check("a picture on a terminal", status == 0 and len(pictures) >= 4
                 and "verified: sorted" in seen, seen[-2000:])
    first, last = pictures[0], pictures[-1]
    report.check("it begins with what isn't there", "writing" in first and first.count(".") > 400,
                 first)
    report.check("it ends with what is, and what is compressed", "checking: 100 %" in last
                 and last.count("o") > 200 and last.count("+") > 20, last)
    report.check("no colours with NO_COLOR", "\033[34m" not in seen)
    report.check("colours without", "\033[34mo" in on_terminal(TERM="xterm", NO_COLOR="")[1])
    report.check("no picture on a dumb terminal", "\033[" not in on_terminal(TERM="dumb")[1])
    for rows, columns in ((11, 80), (24, 63)):
        report.check(f"no picture in {rows} rows of {columns}", "\033[" not in on_terminal(rows, columns, TERM="xterm")[1])
    report.check("but in 12 of 64", "\033[10A" in on_terminal(12, 64, TERM="xterm")[1])
    done = quire("demo", "sort", *SMALL, "--seed", "7")
    report.check("no picture elsewhere", done.returncode == 0 and "\033[" not in done.stdout
                 and "verified: sorted" in done.stdout and "examples/sort.c" in done.stdout, done.stdout)
    other = quire("demo", "sort", *SMALL)
    sums = [next((line for line in text.splitlines() if "checksum" in line), "")
            for text in (done.stdout, other.stdout)]
    report.check("another seed, another checksum", sums[0] != sums[1] and all(sums), str(sums))


def check_help(report):
    texts = [quire(*words) for words in (("help", "demo"), ("demo", "--help"), ("demo", "sort", "-h"))]
    report.check("quire help demo", all(done.returncode == 0 and done.stdout == texts[0].stdout
                                        and "Exit status" in done.stdout for done in texts))
    report.check("quire help names it", "demo" in quire("help").stdout)


def run(report):
    if not unit.build_in(report, "build"):
        return
    check_help(report)
    check_refusals(report)
    check_stores(report)
    check_as_nobody(report)
    check_full_disk(report)
    check_limit_of_files(report)
    check_trouble(report)
    check_picture(report)
    check_interrupted_picture(report)
