# SPDX-License-Identifier: MIT
"""A memory cgroup for programs that are started in it, of version 1 or 2, and what file system a directory is in."""
import contextlib
import os
import time


class NotPossible(Exception):
    """With a sentence that says why."""


def mounts():
    """[(mount point, type, options)], the last that were mounted at the end."""
    found = []
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            _, place, kind, options = line.split()[:4]
            found.append((place.replace("\\040", " "), kind, options.split(",")))
    return found


def file_system(directory):
    """The type of the one that it is in."""
    path = os.path.realpath(directory)
    inside = [(place, kind) for place, kind, _ in mounts()
              if path == place or path.startswith(place.rstrip("/") + "/")]
    return max(inside, key=lambda mount: len(mount[0]))[1]


def own_group(controller):
    """The way of this process's group below the mount: of version 1's controller, or "" for version 2."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controller in controllers.split(","):
                return path.lstrip("/")
    return ""


def parents():
    """[(directory in which a group may be made, the file of its limit, that of swap, what that gets)]"""
    found = []
    for place, kind, options in mounts():
        if kind == "cgroup" and "memory" in options:
            files = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
            found += [(folder, *files, None) for folder in (place, os.path.join(place, own_group("memory")))]
        if kind == "cgroup2":
            own = os.path.join(place, own_group(""))
            found += [(folder, "memory.max", "memory.swap.max", 0) for folder in (place, own, os.path.dirname(own))]
    return found


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def remove(group):
    """Those who were in it have ended; Linux needs a moment to know."""
    for _ in range(100):
        try:
            os.rmdir(group)
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"bench: {group}: can't remove it")


def make(size):
    """A group with that limit."""
    why = "no cgroup file system with a controller of memory is mounted"
    for parent, limit, swap, of_swap in parents():
        group = os.path.join(parent, f"quire-bench-{os.getpid()}")
        try:
            os.mkdir(group)
        except OSError as error:
            why = f"no cgroup can be made in {parent}: {error.strerror}"
            continue
        try:
            write(os.path.join(group, limit), size)
            if os.path.exists(os.path.join(group, swap)):
                write(os.path.join(group, swap), size if of_swap is None else of_swap)
            return group
        except OSError as error:
            why = f"no limit of memory can be set in {parent}: {error.strerror}"
            remove(group)
    raise NotPossible(why)


@contextlib.contextmanager
def limited(size):
    """What makes a child enter the group, as its preexec_fn."""
    group = make(size)
    try:
        yield lambda: write(os.path.join(group, "cgroup.procs"), os.getpid())
    finally:
        remove(group)
