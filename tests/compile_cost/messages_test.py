#!/usr/bin/env python3
"""Holds what a message type costs the compiler of an application, without measuring time: the functions that it adds to an
object file, however many fields it has. The bound may be raised, but knowingly: every application pays for it.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

# For each message type: what makes and what destroys a value, and its message_type_of. Everything else is a table.
FUNCTIONS_A_TYPE_MAX = 3


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
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
