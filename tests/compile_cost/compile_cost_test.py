#!/usr/bin/env python3
"""Holds what Continuo costs the compiler of an application, in figures that do not depend on the machine:

- the functions that a message type adds to an object file, however many fields it has;
- the lines of text behind each public header.

A bound may be raised, but knowingly: whoever compiles an application pays for it in each file.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

# For each message type: what makes and what destroys a value, and its message_type_of. Everything else is a table.
FUNCTIONS_A_TYPE_MAX = 3

# Lines of preprocessed text without blanks, measured with g++ 12 and given a tenth of air.
LINES_MAX = {
    "continuo/fields.hpp": 49_000,
    "continuo/message_type.hpp": 63_000,
    "continuo/node.hpp": 87_000,
}


def compiled_functions(arguments, folder, types, fields):
    """How many functions an object file holds that uses so many message types with so many fields in every way."""
    kinds = ["std::string", "std::int64_t", "bool", "std::optional<std::string>", "std::vector<std::string>"]
    text = "#include <continuo/message_type.hpp>\n"
    for number in range(types):
        members = "".join(f"{kinds[field % len(kinds)]} f{field}{{}}; " for field in range(fields))
        names = ", ".join(f"f{field}" for field in range(fields))
        text += f"struct type{number} {{ {members}CONTINUO_FIELDS(type{number}, {names}) }};\n"
    text += "void use() {\n"
    for number in range(types):
        text += f"  continuo::message_type_of<type{number}>();\n"
    text += "}\n"
    source = folder / "types.cpp"
    source.write_text(text, encoding="utf-8")
    target = folder / "types.o"
    subprocess.run([arguments.compiler, "-std=c++20", "-O1", f"-I{arguments.include}", "-c", source, "-o", target],
                   check=True)
    symbols = subprocess.run(["nm", "--defined-only", target], check=True, capture_output=True, text=True).stdout
    return sum(1 for line in symbols.splitlines() if line.split()[-2] in "TtWw")


def preprocessed_lines(arguments, folder, header):
    source = folder / "header.cpp"
    source.write_text(f"#include <{header}>\n", encoding="utf-8")
    text = subprocess.run([arguments.compiler, "-std=c++20", f"-I{arguments.include}", "-E", "-P", source], check=True,
                          capture_output=True, text=True).stdout
    return sum(1 for line in text.splitlines() if line.strip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("compiler")
    parser.add_argument("include", help="the folder of the public headers")
    arguments = parser.parse_args()
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        few = compiled_functions(arguments, folder, 2, 5)
        for types, fields in ((12, 5), (12, 20)):
            each = (compiled_functions(arguments, folder, types, fields) - few) / (types - 2)
            print(f"{each:g} functions for each message type of {fields} fields")
            if each > FUNCTIONS_A_TYPE_MAX:
                failures.append(f"a message type of {fields} fields costs {each:g} functions, not "
                                f"{FUNCTIONS_A_TYPE_MAX}: see what it instantiates with nm -C")
        for header, most in LINES_MAX.items():
            lines = preprocessed_lines(arguments, folder, header)
            print(f"{lines} lines behind <{header}>, {most} allowed")
            if lines > most:
                failures.append(f"<{header}> brings {lines} lines, more than {most}: see what it includes with -H")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
