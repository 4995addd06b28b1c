"""What the attacks of this folder share: tools and nodes as processes that cannot take more than a little time, memory and
room on the disk."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "http"))

from cluster import SLOW, build_of  # noqa: E402

PATIENCE = 60 * SLOW  # seconds for one run, far more than any needs
MEMORY = 3 << 30  # of address space: the threads' stacks and allocators take most of it
FILE = 256 << 20  # bytes that a file may get: who copies 100 GB of zeros is ended by the kernel
NOBODY = 65534


class Ended:
    """How a process has ended, and what it said."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    def __repr__(self):
        return f"exit code {self.code}\n{self.out[-2000:]!r}\n{self.err[-2000:]!r}"


def run(*words, user=None, umask=-1, cwd=None, memory=MEMORY):
    """Runs a program to its end. Raises subprocess.TimeoutExpired where that does not come."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    ended = subprocess.run(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        preexec_fn=limit,
        umask=umask,
        user=user,
        group=user,
        extra_groups=[] if user is not None else None,
        cwd=cwd,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


class Place:
    """A folder that goes at the end."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="continuo-attacks-")

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def raw_in(output):
    """What a terminal would act on in what a program said: C0 but for ends of lines and tabs, DEL, C1, what turns text
    around, and what ends a line elsewhere."""
    text = output.decode("utf-8", "surrogateescape")
    turning = "\u061c\u200e\u200f\u2028\u2029" + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
    return {
        hex(ord(letter))
        for letter in text
        if (ord(letter) < 0x20 and letter not in "\n\t") or 0x7F <= ord(letter) < 0xA0 or letter in turning
        or 0xDC80 <= ord(letter) <= 0xDCFF
    }


__all__ = ["Ended", "MEMORY", "NOBODY", "PATIENCE", "Place", "SLOW", "build_of", "raw_in", "run"]
