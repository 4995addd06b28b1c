#!/usr/bin/env python3
"""Shows that scripts/check-layers sees what it is there for: each wrong tree below must be refused with its sentence,
the good one accepted.

usage: check_layers_test.py PATH-OF-CHECK-LAYERS
"""

import pathlib
import subprocess
import sys
import tempfile

GOOD = {
    "README.md": "# A project\n",
    "config/sample.conf": "",
    "include/continuo/ids.hpp": "#include <string>\n",
    "include/continuo/caf.hpp": "#include <continuo/ids.hpp>\n#include <caf/actor.hpp>\n",
    "include/continuo/testing_caf.hpp": "#include <continuo/ids.hpp>\n#include <caf/test/unit_test.hpp>\n",
    "messages/caf_types.hpp": "#include <caf/type_id.hpp>\n",
    "messages/envelope.hpp": "#include <continuo/ids.hpp>\n",
    "engine/record.hpp": '#include "messages/envelope.hpp"\n',
    "journal/store.hpp": '#include "engine/record.hpp"\n',
    "journal/rocksdb_store.cpp": '#include "journal/store.hpp"\n#include <rocksdb/db.h>\n',
    "actors/shard.cpp": '#include "journal/store.hpp"\n#include "messages/caf_types.hpp"\n#include <caf/actor.hpp>\n',
    "examples/bank/bank.cpp": '#include "accounts.hpp"\n#include <continuo/caf.hpp>\n',
    "examples/bank/accounts.hpp": "#include <continuo/ids.hpp>\n",
    "tests/journal/rocksdb_test.cpp": '#include "journal/store.hpp"\n#include <rocksdb/db.h>\n',
}

# name: (the files that replace or join the good ones, what must be said)
WRONG = {
    "the engine includes CAF": (
        {"engine/plan.cpp": "#include <caf/actor.hpp>\n"},
        "engine/plan.cpp:1: caf/ may not be used here",
    ),
    "the engine gets CAF by way of a message header": (
        {"engine/plan.cpp": '#include <string>\n#include "messages/caf_types.hpp"\n'},
        "engine/plan.cpp:2: brings in caf/ (caf/type_id.hpp, by way of messages/caf_types.hpp)",
    ),
    "the engine includes the journal": (
        {"engine/plan.cpp": '#include "journal/store.hpp"\n'},
        "engine/plan.cpp:1: engine/ may not include journal/",
    ),
    "messages include the engine": (
        {"messages/late.hpp": '#include "engine/record.hpp"\n'},
        "messages/late.hpp:1: messages/ may not include engine/",
    ),
    "a second message header includes CAF": (
        {"messages/late.hpp": "  #  include <caf/actor.hpp>\n"},
        "messages/late.hpp:1: caf/ may not be used here",
    ),
    "a public header includes CAF": (
        {"include/continuo/node.hpp": "#include <caf/actor_system.hpp>\n"},
        "include/continuo/node.hpp:1: caf/ may not be used here",
    ),
    "a public header gets CAF from another": (
        {"include/continuo/node.hpp": "#include <continuo/caf.hpp>\n"},
        "include/continuo/node.hpp:1: brings in caf/",
    ),
    "a public header includes all of CAF": (
        {"include/continuo/caf.hpp": "#include <caf/all.hpp>\n"},
        "include/continuo/caf.hpp:1: too heavy for a public header",
    ),
    "a public header includes all of CAF's test framework": (
        {"include/continuo/testing_caf.hpp": "#include <caf/test/dsl.hpp>\n"},
        "include/continuo/testing_caf.hpp:1: too heavy for a public header",
    ),
    "a public header includes a private one": (
        {"include/continuo/node.hpp": '#include "engine/record.hpp"\n'},
        "include/continuo/node.hpp:1: include/ may not include engine/",
    ),
    "an actor includes RocksDB": (
        {"actors/shard.cpp": "#include <rocksdb/db.h>\n"},
        "actors/shard.cpp:1: rocksdb/ may not be used here",
    ),
    "a header of the journal gives RocksDB to the nodes": (
        {
            "journal/open.hpp": "#include <rocksdb/options.h>\n",
            "journal/again.hpp": '#include "journal/open.hpp"\n',
            "nodes/node.cpp": '#include "journal/again.hpp"\n',
        },
        "nodes/node.cpp:1: brings in rocksdb/ (rocksdb/options.h, by way of journal/open.hpp)",
    ),
    "another folder's test includes RocksDB": (
        {"tests/engine/record_test.cpp": "#include <rocksdb/db.h>\n"},
        "tests/engine/record_test.cpp:1: rocksdb/ may not be used here",
    ),
    "an example looks behind the public headers": (
        {"examples/bank/accounts.hpp": '#include "engine/record.hpp"\n'},
        "examples/bank/accounts.hpp:1: examples/ may not include engine/",
    ),
    "an example climbs out of its folder": (
        {"examples/bank/accounts.hpp": '#include "../../engine/record.hpp"\n'},
        "examples/bank/accounts.hpp:1: examples/ may not include engine/",
    ),
    "a neighbour is named without its folder": (
        {"engine/plan.cpp": '#include "record.hpp"\n'},
        'engine/plan.cpp:1: name the folder: "engine/record.hpp"',
    ),
    "a public header is quoted": (
        {"engine/plan.cpp": '#include "continuo/ids.hpp"\n'},
        "engine/plan.cpp:1: public headers are included as <continuo/...>",
    ),
    "a private header stands in angle brackets": (
        {"actors/shard.cpp": "#include <journal/store.hpp>\n"},
        "actors/shard.cpp:1: the project's own headers",
    ),
    "a test has left its file in the root": (
        {"left.conf": "", "tests/config/left_test.cpp": 'const auto* name = "left.conf";\n'},
        "left.conf: no one refers to it in the root",
    ),
}


def run(check, files):
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return subprocess.run([check, root], capture_output=True, text=True, check=False, timeout=30)


def main():
    check = sys.argv[1]
    failed = 0

    def expect(name, good, answer):
        nonlocal failed
        if not good:
            failed += 1
            print(f"failed: {name}: exit code {answer.returncode}\n{answer.stdout}{answer.stderr}")

    answer = run(check, GOOD)
    expect("a good tree is accepted", answer.returncode == 0, answer)
    answer = run(check, {})
    expect("an empty tree is refused", answer.returncode == 2, answer)
    for name, (files, sentence) in WRONG.items():
        answer = run(check, GOOD | files)
        expect(name, answer.returncode == 1 and sentence in answer.stdout, answer)
    print(f"{len(WRONG) + 2} trees, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
