"""The library has no planted bug, and the objects that the test puts before it have all of them.

usage: none_in_the_library_test.py SOURCE_DIR LIBRARY OBJECT...
"""

import pathlib
import re
import sys

folders = ["messages", "engine", "journal", "actors", "nodes", "config"]


def main():
    root, library, *objects = map(pathlib.Path, sys.argv[1:])
    names = set()
    for folder in folders:
        for file in sorted((root / folder).rglob("*.[ch]pp")):
            found = set(re.findall(r'planted\("(\w+)"\)', file.read_text()))
            if found and file.suffix == ".hpp":
                sys.exit(f"{file} plants {', '.join(sorted(found))}: a header is part of objects that have no bugs")
            names |= found
    table = set(re.findall(r'\{"(\w+)", &\w+\}', (root / "tests/planted/bugs_test.cpp").read_text()))
    if names != table:
        sys.exit(f"planted, or in the table of the test, but not both: {', '.join(sorted(names ^ table))}")
    if not names:
        sys.exit("no bug is planted anywhere")
    compiled = library.read_bytes()
    tested = b"".join(file.read_bytes() for file in objects)
    wrong = [name for name in sorted(names) if name.encode() in compiled]
    if wrong or b"with_bugs" in compiled:
        sys.exit(f"{library} has planted bugs: {', '.join(wrong) or 'it asks for one'}")
    missing = [name for name in sorted(names) if name.encode() not in tested]
    if missing:
        sys.exit(f"the test does not have {', '.join(missing)}: configure again")
    print(f"{len(names)} bugs in {len(objects)} objects of the test, none in the library")


main()
