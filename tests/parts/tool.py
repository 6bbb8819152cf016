# SPDX-License-Identifier: MIT
"""The quire command: what it refuses and how, what it passes on."""
import hashlib
import json
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

from parts.guest import QUIRE, boot

CASES = "build/tests/guest/cases-musl"


def quire(*arguments, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([QUIRE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace", timeout=120, check=False, **options)


def refuses(report, name, status, words, *arguments, **options):
    """One case: the status, every one of the words, and nothing on standard output."""
    done = quire(*arguments, **options)
    missing = [word for word in words if word not in done.stderr]
    good = done.returncode == status and not missing and not done.stdout
    report.check(name, good, f"status {done.returncode} (expected {status}), missing {missing}\n"
                 f"{done.stdout}{done.stderr}")


def limit_memory():
    """No process may have more than 8 GiB of addresses."""
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


def check_front_door(report):
    """./dev itself: wrong usage is 2, whatever command it is."""
    for words in (["bogus"], ["build", "bogus"], ["test", "bogus"], ["bench", "bogus"], []):
        done = subprocess.run(["./dev", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120, check=False)
        report.check(f"./dev {' '.join(words)} is wrong usage", done.returncode == 2 and not done.stdout
                     and ("bogus" in done.stderr) == bool(words), f"{done.returncode}\n{done.stderr}")
    report.check("quire help help", "usage: quire" in quire("help", "help").stdout)


def check_usage(report):
    refuses(report, "no command", 125, ["usage"])
    refuses(report, "unknown command", 125, ["bogus", "no such command"], "bogus")
    for option, value, word in [
            ("--memory", "much", "not a size"), ("--memory", "12Q", "not a size"),
            ("--memory", "-5M", "not a size"), ("--memory", "", "not a size"),
            ("--memory", "99999999999999999999G", "not a size"), ("--memory", "1M", "too little"),
            ("--memory", "0", "too little"), ("--memory", "1000G", "more than"),
            ("--memory", "5000001", "multiple"), ("--cpus", "0", "not a number"),
            ("--cpus", "many", "not a number"), ("--cpus", "1000", "not a number"),
            ("--timeout", "0", "not a number"), ("--timeout", "1.5", "not a number"),
            ("--file", "", "empty"), ("--debug", "", "empty"), ("--file", "/is/not/there", "No such file"),
            ("--file", "/etc/passwd:relative", "absolute"), ("--file", ":/x", "before the colon"),
            ("--disk", "", "empty"), ("--disk", "/is/not/there", "No such file"),
            ("--disk", "/etc", "directory"), ("--disk", "/dev/null", "no regular file"),
            ("--disk", "/etc/passwd:relative", "absolute"), ("--disk", ":/x", "before the colon"),
            ("--disk", "/etc/passwd:/proc/x:ro", "the kernel's own"),
            ("--disk", "/etc/passwd:/tmp:ro", "a folder"), ("--disk", "/etc/passwd:/bin:ro", "a folder"),
            ("--disk", "/etc/passwd:/bin/busybox:ro", "where the program is"),
            ("--disk", "/etc/passwd:/bin/busybox/x:ro", "where the program is"),
            ("--disk", f"/etc/passwd:/x/{'n' * 256}:ro", "a name of 256 bytes"),
            ("--disk", f"/etc/passwd:{'/deep' * 820}:ro", "4095 are possible"),
            ("--file", f"/etc/passwd:/{'n' * 256}", "a name of 256 bytes"),
            ("--swap", "", "not a size"), ("--swap", "much", "not a size"), ("--swap", "0", "no room"),
            ("--swap", "5000", "multiple"), ("--swap", "-4K", "not a size"), ("--swap", "1000G", "more than"),
            ("--kernel", "/is/not/there", "./dev build"), ("--kernel", "/etc/passwd", "no kernel")]:
        refuses(report, f"{option} '{value}'", 125, [word], "boot", option, value, "--", "busybox",
                "true")
    refuses(report, "--memory alone", 125, ["needs a value"], "boot", "--memory")
    refuses(report, "unknown option", 125, ["--bogus"], "boot", "--bogus")
    refuses(report, "unknown letters", 125, ["-x: no such option"], "boot", "-xy")
    refuses(report, "a value too many", 125, ["--stats=1: this option takes no value"], "boot",
            "--stats=1")
    refuses(report, "a file twice", 125, ["two files"], "boot", "--file", "/etc/passwd:/a", "--file",
            "/etc/passwd:/a", "--", "busybox", "true")
    refuses(report, "a file of /proc", 125, ["length of 0"], "boot", "--file", "/proc/self/maps:/a",
            "--", "busybox", "true")
    refuses(report, "memory that the files fill", 125, ["too little to boot", "--memory"], "boot",
            "--memory", "4M", "--", "busybox", "true")
    refuses(report, "more memory than QEMU can have", 125, ["QEMU ended"], "boot", "--memory", "64G",
            "--", "busybox", "true", preexec_fn=limit_memory)
    for length in (4096, 20000):
        refuses(report, f"arguments of {length} bytes", 125, ["too long", "4095"], "boot", "--", "busybox",
                "echo", "x" * length)
    done = boot("--", "busybox", "echo", "x" * 4000)
    report.check("arguments of 4000 bytes", done.stdout == "x" * 4000 + "\n", done.stderr)


def check_disks(report):
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        one, two = os.path.join(directory, "one"), os.path.join(directory, "two")
        for path in (one, two):
            with open(path, "wb") as file:
                file.write(b"words")
        end = ("--", "busybox", "true")
        refuses(report, "disks at one place", 125, [one, two, "/x", "another place"], "boot", "--disk",
                f"{one}:/x", "--disk", f"{two}:/a/../x", *end)
        refuses(report, "a disk where a file is", 125, ["two files", "/x"], "boot", "--disk",
                f"{one}:/x", "--file", f"{two}:/x", *end)
        refuses(report, "one file as two disks", 125, ["the same file", ":ro"], "boot", "--disk",
                f"{one}:/x", "--disk", f"{one}:/y:ro", *end)
        refuses(report, "too many disks", 125, ["17 files", "16"], "boot",
                *(word for i in range(17) for word in ("--disk", f"{one}:/{i}:ro")), *end)
        refuses(report, "too much swap", 125, ["8 at most"], "boot", *("--swap", "4K") * 9, *end)
        refuses(report, "swap nowhere", 125, ["/is/not/there", "TMPDIR"], "boot", "--swap", "4K", *end,
                env={**os.environ, "TMPDIR": "/is/not/there"})
        os.chmod(one, 0o444)
        if os.getuid() == 0:  # root may write to anything
            done = quire("boot", "--disk", one, *end, user="nobody", cwd="/")
        else:
            done = quire("boot", "--disk", one, *end)
        report.check("a file that can't be written", done.returncode == 125
                     and f"{one}:/one:ro" in done.stderr, f"{done.returncode}\n{done.stderr}")
        odd = os.path.join(directory, "a file,of %41:names")
        os.rename(two, odd)
        done = boot("--disk", f"{one}:/a b/c,d=%20:ro", "--disk", f"{one}:/again/:ro", "--disk", odd, "--",
                    "busybox", "cat", "/a b/c,d=%20", "/again/one", f"/{os.path.basename(odd)}")
        report.check("any name", done.stdout == "words" * 3, done.stdout + done.stderr)
        check_ended_by_signal(report, directory, odd)


def check_ended_by_signal(report, directory, path):
    """The file is as long as before, and of the swap nothing is left."""
    before = os.listdir(directory)
    done = subprocess.Popen([QUIRE, "boot", "--disk", f"{path}:/x", "--swap", "16M", "--", "busybox", "sh",
                             "-c", "echo Words | dd of=/x conv=notrunc,fsync bs=5 count=1; echo done;"
                             "sleep 1000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": directory})
    done.stdout.readline()
    refuses(report, "a disk of two machines", 125, [path, "another machine writes to it"], "boot", "--disk",
            f"{path}:/x:ro", "--", "busybox", "true")
    done.send_signal(signal.SIGTERM)
    status = done.wait(timeout=20)
    done.stdout.close()
    with open(path, "rb") as file:
        report.check("a disk after SIGTERM", status == 128 + 15 and file.read() == b"Words", str(status))
    report.check("swap leaves nothing behind", os.listdir(directory) == before,
                 str(os.listdir(directory)))


def elf(**changes):
    """The header of a static program, with changes."""
    fields = dict(kind=2, machine=62, entry=0x400078, offset=64, size=56, count=1, bits=2)
    fields.update(changes)
    header = b"\x7fELF" + bytes([fields["bits"], 1, 1]) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", fields["kind"], fields["machine"], 1, fields["entry"],
                          fields["offset"], 0, 0, 64, fields["size"], fields["count"], 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0, 120, 120, 4096)


def check_programs(report):
    refuses(report, "no such program", 127, ["not found"], "boot", "--", "is-not-there")
    refuses(report, "no such path", 127, ["No such file"], "boot", "--", "./is-not-there")
    refuses(report, "an empty name", 127, ["empty"], "boot", "--", "")
    refuses(report, "a directory", 126, ["directory"], "boot", "--", "/tmp")
    refuses(report, "not executable", 126, ["not executable"], "boot", "--", "/etc/passwd")
    refuses(report, "not static", 126, ["not static", "-static"], "boot", "--", "/bin/ls")
    bad = {
        "text": (b"some words", "not an ELF"), "a script": (b"#!/bin/sh\necho\n", "interpreter"),
        "nothing": (b"", "empty"), "a truncated header": (elf()[:40], "truncated"),
        "truncated segments": (elf()[:80], "truncated"), "another machine": (elf(machine=183), "183"),
        "32 bits": (elf(bits=1), "32-bit"), "an object file": (elf(kind=1), "no program"),
        "no segments": (elf(count=0), "damaged"), "odd segments": (elf(size=7), "damaged"),
        "segments past the end": (elf(offset=1 << 40), "truncated"),
    }
    with tempfile.TemporaryDirectory() as directory:
        for name, (content, word) in bad.items():
            path = os.path.join(directory, name.replace(" ", "-"))
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, 0o755)
            refuses(report, f"a program that is {name}", 126, [word], "boot", "--", path)
        refuses(report, "QEMU is missing", 125, ["qemu-system-x86"], "boot", "--",
                os.path.abspath(CASES), env={"PATH": directory})
        refuses(report, "busybox is missing", 127, ["busybox-static"], "boot", "--", "busybox",
                env={"PATH": directory})


def check_status(report):
    for code in (0, 1, 42, 255):
        done = boot("--", "busybox", "sh", "-c", f"exit {code}")
        report.check(f"status {code}", done.returncode == code,
                     f"{done.returncode}\n{done.stderr}")
    done = boot("--", "busybox", "sh", "-c", "kill -SEGV $$")
    report.check("killed by a signal", done.returncode == 128 + 11, f"{done.returncode}")
    done = boot("--cpus", "4", "--memory", "1G", "--", "busybox", "echo", "hello")
    report.check("four CPUs, 1 GiB", done.returncode == 0 and done.stdout == "hello\n",
                 f"{done.returncode}\n{done.stderr}")
    done = boot("--", "busybox", "sleep", "1000", timeout=4)
    report.check("--timeout", done.returncode == 124, f"{done.returncode}\n{done.stderr}")
    with tempfile.NamedTemporaryFile("r") as file:
        done = boot("--stats", "--json", file.name, "--", "busybox", "sh", "-c", "while :; do :; done", timeout=4)
        figures = json.loads(file.read() or "{}")
    report.check("--timeout with --stats", done.returncode == 124 and "page faults" in done.stderr
                 and figures.get("page_faults", 0) > 50, f"{done.returncode}\n{done.stderr}\n{figures}")
    done = boot("--debug", "nosuch", "--debug", "aspaces", "--", "busybox", "true")
    report.check("--debug nosuch", done.returncode == 125 and "nosuch: no such command" in done.stderr
                 and "--debug" in done.stderr and "kernel" in done.stderr, f"{done.returncode}\n{done.stderr}")


def check_streams(report):
    done = boot("--", "busybox", "sh", "-c", "echo out; echo error >&2; echo more")
    report.check("standard output", done.stdout == "out\nmore\n", done.stdout)
    report.check("standard error", done.stderr == "error\n", done.stderr)
    for closed in (0, 1, 2):
        done = quire("boot", "--timeout", "60", "--", "busybox", "sh", "-c", "exit 3", stdin=None,
                     preexec_fn=lambda stream=closed: os.close(stream))
        report.check(f"stream {closed} closed", done.returncode == 3,
                     f"{done.returncode}\n{done.stderr}")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([QUIRE, "boot", "--timeout", "60", "--", "busybox", "echo"],
                              stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False)
    report.check("a full output", done.returncode == 125 and "No space left" in done.stderr,
                 f"{done.returncode}\n{done.stderr}")
    for words in (["doctor"], ["doctor", "--json"], ["--version"], ["help"], ["help", "demo"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([QUIRE, *words], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
                                  check=False)
        report.check(f"{' '.join(words)}: a full output", done.returncode == 125 and "No space left" in done.stderr,
                     f"{done.returncode}\n{done.stderr}")
    done = boot("--", "busybox", "printf", "[%s]", "", "a b", "c%d", "e'f\"g", "ü", "line\nbreak")
    report.check("arguments", done.stdout == "[][a b][c%d][e'f\"g][ü][line\nbreak]", done.stdout)
    data = bytes(range(256)) * 2000 + b"\x10\x04\x10\x02"
    done = subprocess.run([QUIRE, "boot", "--timeout", "120", "--", "busybox", "md5sum"], input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    report.check("standard input, every byte", done.stdout.split()[:1]
                 == [hashlib.md5(data).hexdigest().encode()], repr(done.stdout + done.stderr))
    done = subprocess.run([QUIRE, "boot", "--timeout", "120", "--", "busybox", "cat"],
                          input=data[:65536], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    report.check("standard output, every byte", done.stdout == data[:65536],
                 f"{len(done.stdout)} bytes\n{done.stderr!r}")
    done = boot("--", "busybox", "head", "-c", "3", stdin=open("/dev/zero", "rb"))
    report.check("input that isn't read to its end", done.stdout == "\0\0\0", repr(done.stdout))


def check_figures(report):
    with tempfile.TemporaryDirectory() as directory:
        results = []
        silent, held = os.pipe()  # even the end of input would come at some moment of our time
        for run in ("one", "two"):
            name = os.path.join(directory, run)
            done = boot("--icount", "--json", name, "--debug", "help", "--stats", "--", "busybox",
                        "sh", "-c", "seq 100 | sort | tail -n 1", stdin=silent)
            report.check("--icount", done.returncode == 0, done.stderr)
            with open(name, encoding="utf-8") as file:
                results.append(json.load(file))
        os.close(silent)
        os.close(held)
        report.check("figures repeat with --icount", results[0] == results[1], str(results))
        figures = results[0]
        report.check("frames free before and after", figures.get("free_before", 0) > 0
                     and figures.get("free_before") == figures.get("free_after"), str(figures))
        report.check("faults and forks were counted", figures.get("page_faults", 0) > 100
                     and figures.get("forks", 0) >= 3, str(figures))
        report.check("--stats", "page faults" in done.stderr and "free before" in done.stderr,
                     done.stderr)
        report.check("--debug help", "aspaces" in done.stderr, done.stderr)
        refuses(report, "--json nowhere", 125, ["--json"], "boot", "--json", "/is/not/there", "--",
                "busybox", "true")


# A command of the debugger, and what it must say: in the real kernel, on its own structures.
DEBUGGER = {
    "help": "this list", "aspaces": "kernel", "aspace 1": "root table", "regions": "kernel text",
    "region 1": "kernel text", "page_stats": "WIRED", "commit": "committed", "check":
    "0 contradictions", "threads": "max_commit", "processes": "init",
    "db 0xffff800000100000 4": "0xffff800000100000  ", "ds 0xffff800000100000 2": "0xffff8",
    "dw 0xffff800000100000": "0xffff8", "dl 0xffff800000100000 1": "0xffff8",
    "db 0x10": "nothing is mapped", "db 0x8000000000000000": "nothing is mapped",
    "dl 0xfffffffffffffff8": "nothing is mapped", "cache 0x10": "no address", "cache": "usage",
    "cache_ref 0xffff800000100000": "is no cache", "region": "usage", "region none": "no region",
    "aspace 99999999999999999999": "no address space",
    "reclaim": "policy car", "swap": "0 of 0 slots are free", "slot 1": "there is no slot 1",
    "queue inactive 2": "inactive: ", "queue": "usage", "page 0x400": "page 0x400: ", "page 0xffffffff": "no frame",
    "files": " caches of files",
}


def check_debugger(report):
    commands = [word for command in DEBUGGER for word in ("--debug", command)]
    done = boot(*commands, "--", "busybox", "true")
    report.check("debugger commands", done.returncode == 0, f"{done.returncode}\n{done.stderr}")
    for command, words in DEBUGGER.items():
        report.check(f"debugger: {command}", words in done.stderr, done.stderr)


def check_end(report):
    """A signal ends the machine with the tool, and leaves nothing behind."""
    done = subprocess.Popen([QUIRE, "boot", "--", "busybox", "sleep", "1000"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    with open(f"/proc/{done.pid}/task/{done.pid}/children", encoding="ascii") as file:
        children = file.read().split()
    done.send_signal(signal.SIGTERM)
    status = done.wait(timeout=20)
    report.check("ended by SIGTERM", status == 128 + 15, str(status))
    left = [child for child in children if os.path.exists(f"/proc/{child}")]
    report.check("QEMU ended with it", children and not left, f"{children} {left}")


class Terminal:
    """The command on a terminal of its own, typed at and read from."""

    def __init__(self, *arguments):
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.text = ""
        self.process = subprocess.Popen([QUIRE, "boot", *arguments], stdin=self.theirs,
                                        stdout=self.theirs, stderr=self.theirs,
                                        start_new_session=True)

    def type(self, text):
        os.write(self.ours, text.encode())

    def waits_for(self, words, seconds=20):
        """Reads on until the words have come; false if they don't."""
        deadline = time.monotonic() + seconds
        while words not in self.text:
            ready, _, _ = select.select([self.ours], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                return False
            self.text += os.read(self.ours, 65536).decode(errors="replace")
        self.text = self.text.partition(words)[2]
        return True

    def end(self):
        """The status, and whether the terminal is as it was."""
        try:
            status = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        same = termios.tcgetattr(self.theirs) == self.before
        os.close(self.ours)
        os.close(self.theirs)
        return status, same


def check_terminal(report):
    terminal = Terminal()
    report.check("a shell on a terminal", terminal.waits_for("# "), terminal.text)
    terminal.type("echo $((6 * 7)) is it\r")
    report.check("it answers", terminal.waits_for("42 is it"), terminal.text)
    terminal.type("sleep 1000\r")
    report.check("it echoes", terminal.waits_for("sleep 1000"), terminal.text)
    terminal.type("\x1d")
    time.sleep(0.5)
    terminal.type("help\r")
    report.check("Ctrl-] enters the debugger", terminal.waits_for("aspaces"), terminal.text)
    terminal.type("continue\r")
    time.sleep(0.5)
    terminal.type("\x03")
    terminal.type("echo back $((7 * 7))\r")
    report.check("and back; Ctrl-C ends a program", terminal.waits_for("back 49"), terminal.text)
    terminal.type("exit 3\r")
    status, same = terminal.end()
    report.check("the shell's status", status == 3, str(status))
    report.check("the terminal is as it was", same)
    terminal = Terminal("--", "busybox", "sleep", "1000")
    time.sleep(1.5)
    terminal.type("\x1d\x1d\x1d")
    status, same = terminal.end()
    report.check("three times Ctrl-] ends the machine", status == 128 + 2 and same, str(status))


def run(report):
    check_front_door(report)
    check_usage(report)
    check_disks(report)
    check_programs(report)
    check_status(report)
    check_streams(report)
    check_figures(report)
    check_debugger(report)
    check_terminal(report)
    check_end(report)
