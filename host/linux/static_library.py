# SPDX-License-Identifier: MIT
"""The library for programs that are linked with -static: one object, of which only the names that the shared
library's version script lists are seen from outside.
usage: static_library.py CC OBJCOPY AR VERSION_SCRIPT LIBRARY ARCHIVE... -- [OPTION_OF_CC]..."""
import os
import re
import subprocess
import sys


def names(script):
    with open(script, encoding="utf-8") as file:
        shown = re.search(r"global:(.*?)local:", file.read(), re.S).group(1)
    return re.findall(r"[\w*]+(?=;)", shown)


def main(compiler, objcopy, archiver, script, library, *rest):
    archives, options = rest[:rest.index("--")], rest[rest.index("--") + 1:]
    whole, shown = library + ".o", library + ".names"
    subprocess.run([compiler, "-r", "-nostdlib", *options, "-o", whole, "-Wl,--whole-archive", *archives], check=True)
    with open(shown, "w", encoding="utf-8") as file:
        file.writelines(name + "\n" for name in names(script))
    subprocess.run([objcopy, "--wildcard", "--keep-global-symbols=" + shown, whole], check=True)
    if os.path.exists(library):
        os.unlink(library)
    subprocess.run([archiver, "rcsD", library, whole], check=True)
    os.unlink(whole)
    os.unlink(shown)


if __name__ == "__main__":
    main(*sys.argv[1:])
