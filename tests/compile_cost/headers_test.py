#!/usr/bin/env python3
"""Holds what a user's compiler has to read and to make of the public headers, without measuring time.

usage: headers_test.py COMPILER SOURCE-ROOT

For each public header: the lines of its preprocessed text that are not empty, most of them the standard library's, and the
headers that it must not bring in. For README's example: the functions in its object. Prints what is over its bound, and
exits with 1.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

# A bound has a little air, two in a hundred. Raise one only knowingly: what it holds is compiled again in every file of
# every application. Where a number sinks, its bound follows it.
LINES = {
    "archive.hpp": 45_000,
    "boost_archives.hpp": 69_500,
    "caf.hpp": 108_500,
    "client.hpp": 74_000,
    "cluster.hpp": 51_500,
    "context.hpp": 69_000,
    "definition.hpp": 66_500,
    "fields.hpp": 46_000,
    "file_path.hpp": 20_000,
    "ids.hpp": 38_000,
    "json.hpp": 45_000,
    "message_type.hpp": 59_000,
    "node.hpp": 74_500,
    "outcome.hpp": 21_500,
    "result.hpp": 38_000,
    "saga.hpp": 69_500,
    "schedule.hpp": 46_000,
    "service.hpp": 69_500,
    "status.hpp": 46_000,
    "testing.hpp": 75_000,
    "testing_caf.hpp": 99_000,
    "testing_saga.hpp": 74_500,
    "workflow.hpp": 71_500,
    "version.hpp": 13_500,
}
README_FUNCTIONS = 70
README_EXAMPLE = "examples/readme/orders.cpp"

WITH_CAF = ["caf.hpp", "testing_caf.hpp"]  # whose own headers bring in what they like

# Headers that cost an application much, and the public headers that may bring them in all the same.
HEAVY = {
    r"c\+\+/[\d.]+/filesystem$": [],
    r"c\+\+/[\d.]+/regex$": [],
    r"c\+\+/[\d.]+/iostream$": WITH_CAF,
    r"c\+\+/[\d.]+/fstream$": WITH_CAF,
    r"c\+\+/[\d.]+/future$": ["client.hpp", "node.hpp", "testing.hpp", "testing_saga.hpp", *WITH_CAF],
    r"/nlohmann/": [],
    r"/spdlog/": [],
    r"/fmt/format\.h$": [],
}


def run(arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


def preprocessed(compiler, root, header):
    """The number of lines that stay, and the files that they come from."""
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write(f"#include <continuo/{header}>\n")
        source.flush()
        text = run([compiler, "-std=c++20", "-O2", "-DNDEBUG", f"-I{root}/include", "-E", source.name])
    lines = 0
    files = set()
    for line in text.splitlines():
        marker = re.match(r'# \d+ "([^"]+)"', line)
        if marker:
            files.add(marker[1])
        elif line.strip():
            lines += 1
    return lines, files


def functions(compiler, root, source):
    with tempfile.NamedTemporaryFile(suffix=".o") as made:
        run([compiler, "-std=c++20", "-O2", "-DNDEBUG", f"-I{root}/include", "-c", f"{root}/{source}", "-o", made.name])
        symbols = run(["nm", "--defined-only", made.name])
    return sum(1 for line in symbols.splitlines() if line.split()[-2] in "TtWw")


def check_bound(what, found, bound):
    if found > bound:
        return [f"{what}: {found}, which is more than {bound}"]
    return []


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    compiler, root = sys.argv[1], pathlib.Path(sys.argv[2])
    wrong = []
    headers = sorted(path.name for path in (root / "include/continuo").glob("*.hpp"))
    for header in headers:
        if header not in LINES:
            wrong.append(f"{header}: has no bound in {__file__}")
            continue
        lines, files = preprocessed(compiler, root, header)
        print(f"{header}: {lines} lines")
        wrong += check_bound(f"{header}: lines", lines, LINES[header])
        for pattern, allowed in HEAVY.items():
            if header not in allowed:
                wrong += [f"{header}: brings in {file}" for file in sorted(files) if re.search(pattern, file)]
    wrong += [f"{header}: is in the table, but not in include/continuo" for header in LINES if header not in headers]
    count = functions(compiler, root, README_EXAMPLE)
    print(f"{README_EXAMPLE}: {count} functions")
    wrong += check_bound(f"{README_EXAMPLE}: functions", count, README_FUNCTIONS)
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
