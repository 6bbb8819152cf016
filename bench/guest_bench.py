# SPDX-License-Identifier: MIT
"""Programs in the reference kernel beside the same programs in Debian's Linux, by instructions."""
import glob
import os
import re
import shutil
import stat
import subprocess
import tempfile

# As the quire command starts it. Without "erms" Linux clears and copies pages by words, as Quire does.
QEMU = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-accel", "tcg", "-cpu",
        "max,-erms", "-smp", "1"]
CLOCK = ["-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "1"]
# Without what Quire doesn't do: mitigations, a second clearing, control groups, huge pages.
LINUX_OPTIONS = ("nokaslr mitigations=off init_on_alloc=0 cgroup_disable=memory "
                 "transparent_hugepage=never console=ttyS0 quiet panic=-1")
VMLINUZ = "build/linux/vmlinuz"
# For disks, in the order in which they can be loaded.
MODULES = ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci",
           "virtio_blk"]
PROGRAM = "build/bench/vmbench"
DATA_SIZE = 4 << 20
TIMEOUT = 300


def run(arguments, **options):
    return subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def build_program():
    os.makedirs(os.path.dirname(PROGRAM), exist_ok=True)
    run(["musl-gcc", "-static", "-O2", "-D_GNU_SOURCE", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
         "-o", PROGRAM, "bench/guest/vmbench.c"])


def module(name):
    return f"build/linux/{name}.ko"


def unpack_linux(root):
    for name in MODULES:
        (file,) = glob.glob(os.path.join(root, f"lib/modules/*/kernel/drivers/*/{name}.ko"))
        shutil.copy(file, module(name))
    (image,) = glob.glob(os.path.join(root, "boot/vmlinuz-*"))
    shutil.copy(image, VMLINUZ)


def get_linux():
    """Debian's kernel, unpacked from its package; nothing is installed."""
    if all(os.path.exists(name) for name in [VMLINUZ, *map(module, MODULES)]):
        return
    os.makedirs(os.path.dirname(VMLINUZ), exist_ok=True)
    depends = run(["apt-cache", "depends", "linux-image-amd64"])
    package = re.search(r"Depends: (linux-image-\S+)", depends)
    if not package:
        raise SystemExit("bench: apt knows no linux-image-amd64; try apt-get update")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        run(["apt-get", "-o", "APT::Sandbox::User=root", "download", package.group(1)], cwd=directory)
        (archive,) = glob.glob(os.path.join(directory, "*.deb"))
        run(["dpkg-deb", "-x", archive, os.path.join(directory, "root")])
        unpack_linux(os.path.join(directory, "root"))


def cpio_entry(number, name, mode, content=b"", device=(0, 0)):
    fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return header + bytes(-len(header) % 4) + content + bytes(-len(content) % 4)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def data():
    return b"".join(bytes([number % 251 + 1]) * 4096 for number in range(DATA_SIZE // 4096))


def write_initramfs(path, init, files, programs=()):
    """`init` as /init, busybox, and `files` and `programs` in the root directory: {name: content}."""
    executable = stat.S_IFREG | 0o755
    entries = [("dev", stat.S_IFDIR | 0o755, b"", (0, 0)),
               ("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)),
               ("proc", stat.S_IFDIR | 0o755, b"", (0, 0)),
               ("bin", stat.S_IFDIR | 0o755, b"", (0, 0)),
               ("bin/busybox", executable, contents(shutil.which("busybox")), (0, 0)),
               ("init", executable, init, (0, 0))]
    entries += [(name, stat.S_IFREG | 0o644, content, (0, 0)) for name, content in files.items()]
    entries += [(name, executable, content, (0, 0)) for name, content in dict(programs).items()]
    with open(path, "wb") as file:
        for number, (name, mode, content, device) in enumerate(entries, 1):
            file.write(cpio_entry(number, name, mode, content, device))
        file.write(cpio_entry(0, "TRAILER!!!", 0))


def rows(text, system):
    found = dict((name, int(value)) for name, value in re.findall(r"^(.+): (\d+)\r?$", text, re.M))
    if found.pop("end", None) != 0:
        raise SystemExit(f"bench: the program didn't come to its end in {system}:\n{text[-2000:]}")
    return found


def measure_linux():
    get_linux()
    initramfs = "build/bench/initramfs.cpio"
    write_initramfs(initramfs, contents(PROGRAM), {"bench.data": data()})
    text = run([*QEMU, *CLOCK, "-m", "512M", "-icount", "shift=0,sleep=off", "-kernel", VMLINUZ,
                "-initrd", initramfs, "-append", LINUX_OPTIONS, "-serial", "stdio"],
               stdin=subprocess.DEVNULL, timeout=TIMEOUT)
    return rows(text, "Linux")


def measure_quire():
    name = "build/bench/bench.data"
    with open(name, "wb") as file:
        file.write(data())
    # Input, even its end, comes at some moment of this host's time: a silent pipe has none.
    silent, held = os.pipe()
    text = run(["build/quire", "boot", "--icount", "--memory", "512M", "--timeout", str(TIMEOUT),
                "--file", f"{name}:/bench.data", "--file", f"{shutil.which('busybox')}:/bin/busybox",
                "--", PROGRAM], stdin=silent)
    os.close(silent)
    os.close(held)
    return rows(text, "the reference kernel")


def measure():
    """[(row, Linux's instructions, Quire's)]"""
    build_program()
    linux, quire = measure_linux(), measure_quire()
    return [(name, value, quire[name]) for name, value in linux.items()]
