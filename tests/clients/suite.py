"""What the suite of a client found, beside what is known to fail: suite.py pytest|vitest|cargo RESULTS KNOWN.

RESULTS is what the runner wrote: JUnit's XML, vitest's JSON, or the lines of `cargo test`. KNOWN lists the names of tests
that fail, below a line `# why`. Ends with 1 if another test fails, or none passes; a test that fails no more is told.
"""

import json
import os
import re
import sys
import xml.etree.ElementTree


def pytest(path):
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}".removeprefix("tests.integration_tests.").removeprefix("::")
        kinds = {child.tag for child in case}
        yield name, "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"


def vitest(path):
    with open(path, encoding="utf-8") as file:
        files = json.load(file)["testResults"]
    for each in files:
        tests = each["assertionResults"]
        # Where what comes before the tests fails, they are called skipped; where it is what comes after, they passed; and
        # where the file could not be read, there are none.
        broken = each["status"] == "failed" and all(test["status"] != "failed" for test in tests)
        if broken and all(test["status"] == "passed" for test in tests):
            yield os.path.basename(each["name"]), "failed"
        for test in tests:
            passed, failed = test["status"] == "passed", test["status"] == "failed" or broken
            yield test["fullName"], "passed" if passed else "failed" if failed else "skipped"


def cargo(path):
    with open(path, encoding="utf-8") as file:
        for name, how in re.findall(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)", file.read(), re.MULTILINE):
            yield name, {"ok": "passed", "FAILED": "failed"}.get(how, "skipped")


def known(path):
    why = None
    with open(path, encoding="utf-8") as file:
        for line in filter(None, map(str.strip, file)):
            if line.startswith("#"):
                why = line[1:].strip()
            else:
                yield line, why


runner, results, expected = sys.argv[1], list({"pytest": pytest, "vitest": vitest, "cargo": cargo}[sys.argv[1]](sys.argv[2])), dict(known(sys.argv[3]))
counts = {how: sum(1 for _, found in results if found == how) for how in ["passed", "failed", "skipped"]}
failed = {name for name, how in results if how == "failed"}
passed = {name for name, how in results if how == "passed"} - failed
new = sorted(failed - expected.keys())
for name in new:
    print("FAILED", name)
for name, why in expected.items():
    if name not in failed:
        print("fails no more" if name in passed else "is not there any more", f"({why}):", name)
print(f"{counts['passed']} passed, {counts['failed']} failed ({len(failed & expected.keys())} known), {counts['skipped']} skipped")
sys.exit(bool(new) or not counts["passed"])
