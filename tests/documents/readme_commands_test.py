#!/usr/bin/env python3
"""Runs the commands of README.md, in one shell and in the order in which they stand, as somebody who tries them would.

usage: readme_commands_test.py [BUILD]

What README says by its form:
- an indented line is a command, or what the command before it prints: such lines are looked for in its output in their
  order. Figures may differ, and `...` stands for any lines;
- a command ends with 0, unless its comment says `exits with N`;
- a block between fences of no language is a file, whose name is the first one of the paragraph before it.

The shell starts in a folder that has the build where a clone has it. README's ports are replaced by free ones.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "http"))

from cluster import build_of, free_ports, kills_at_the_end  # noqa: E402

# What is not run here, and why not.
NOT_RUN = {
    "scripts/demo": "builds, and takes a minute; the programs that it starts are run by tests/examples and tests/tools",
    "scripts/demo --single": "as scripts/demo",
    "scripts/test": "runs this test",
    "scripts/package": "builds; run by the test package.package, as are the two that follow",
    "sudo apt install ./continuo_*.deb ./libcontinuo-dev_*.deb": "installs on this machine",
    "g++ -std=c++20 shop.cpp -o shop $(pkg-config --cflags --libs continuo)": "needs what the one before installs",
    "cmake --preset release && cmake --build --preset release && cmake --install build/release --prefix /opt/continuo":
        "the first two are what scripts/test does, the third is run by the test install.find_package",
}

MARK = "@@ended"
SECONDS_MAX = 240


def steps(text):
    """README's parts in their order: ("line", line), ("file", name, text)."""
    fence = None  # the language, within a block
    block = []
    named = ""  # the name of a file in the paragraph at hand
    for line in text.split("\n"):
        if line.startswith("```"):
            if fence is None:
                fence, block = line[3:], []
            else:
                if fence == "":
                    yield "file", named, "".join(one + "\n" for one in block)
                fence = None
        elif fence is not None:
            block.append(line)
        elif line.startswith("    "):
            yield "line", line.strip()
        elif not line:
            continue
        else:
            named = next(iter(re.findall(r"`([\w.-]+\.\w+)`", line)), named)


def same_figures(line):
    """A line with what differs from run to run made equal: figures, times, and how wide a table's columns are."""
    line = re.sub(r"(?<![\w.-])(\d+(\.\d+)?( (ms|s|min|h))?|-)(?![\w.-])", "#", line)
    return re.sub(r"\s+", " ", line).strip()


class Shell:
    def __init__(self, folder):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CONTINUO_")}
        self.process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command):
        """Its exit code and the lines that were printed meanwhile."""
        self.process.stdin.write(f"{command}\nprintf '\\n{MARK} %s\\n' $?\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(MARK):
                return int(line.split()[1]), [one for one in lines if one]
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"the shell has ended in: {command}\n" + "\n".join(lines))

    def knows(self, command):
        return self.run(f"type -- {command.split()[0]} >/dev/null 2>&1")[0] == 0

    def end(self):
        self.process.kill()
        self.process.wait()


def follow(text, shell):
    """Does what README says; the commands that were met, or a sentence that says what is not as it says."""
    met = []
    printed = None  # what is left of the output of the last command
    for kind, *what in steps(text):
        if kind == "file":
            folder = shell.run("pwd")[1][-1]
            pathlib.Path(folder, what[0]).write_text(what[1], encoding="utf-8")
            continue
        line = what[0]
        command, _, comment = (part.strip() for part in line.partition(" # "))
        if command in NOT_RUN:
            met.append(command)
            printed = None
        elif shell.knows(command):
            met.append(command)
            wanted = int((re.findall(r"exits with (\d+)", comment) or [0])[0])
            code, printed = shell.run(command)
            print(f"$ {command}", *printed, sep="\n", flush=True)
            if code != wanted:
                raise AssertionError(f"{command}: exit code {code} instead of {wanted}")
        elif printed is None:
            raise AssertionError(f"neither a command that can be run nor listed in NOT_RUN: {line}")
        elif line != "...":
            while printed and same_figures(printed[0]) != same_figures(line):
                printed.pop(0)
            if not printed:
                raise AssertionError(f"{met[-1]} does not print what README shows: {line}")
            printed.pop(0)
    return met


def too_late(*_):
    raise AssertionError(f"not done after {SECONDS_MAX} s")


def main():
    build = build_of(sys.argv)
    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(SECONDS_MAX)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ports = sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", text)))
    free = dict(zip(ports, free_ports(len(ports))))
    text = re.sub(r"127\.0\.0\.1:(\d+)", lambda match: f"127.0.0.1:{free[match[1]]}", text)
    with tempfile.TemporaryDirectory(prefix="continuo-readme-") as clone:
        folder = pathlib.Path(clone)
        (folder / "build").mkdir()
        (folder / "build" / "release").symlink_to(build)
        (folder / "scripts").symlink_to(ROOT / "scripts")
        nodes = kills_at_the_end(os.path.join(build, "continuo"), folder)
        shell = Shell(folder)
        try:
            met = follow(text, shell)
        finally:
            nodes.stdin.close()
            nodes.wait()
            shell.end()
    gone = set(NOT_RUN) - set(met)
    if gone:
        raise AssertionError(f"listed in NOT_RUN, and not in README: {', '.join(sorted(gone))}")
    print(f"{len(met)} commands, {len(NOT_RUN)} of them not run here")
    return 0 if len(met) > len(NOT_RUN) else 1


if __name__ == "__main__":
    sys.exit(main())
