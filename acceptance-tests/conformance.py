#!/usr/bin/env python3
"""conformance.py LEFT_OUT [some] REPORT...

Compares reports of Kubernetes' conformance tests with what LEFT_OUT says cannot pass here: lines "name of the test | reason". With
"some" not all tests have run. Ends with an error when a test that is not listed failed, skipped itself or did not run, and when one
that is listed passed or does not exist.
"""

import sys
import xml.etree.ElementTree


def read_left_out(path):
    """Name of the test to the reason."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, separator, reason = line.strip().rpartition(" | ")
            if not separator or not name or not reason:
                sys.exit(f"{path}:{number}: not 'name | reason'")
            found[name] = reason
    return found


def result(case):
    """What became of a test: `passed`, `failed`, `skipped` by itself, or None where it was not selected."""
    skipped = case.find("skipped")
    if skipped is not None:
        # One that was not selected carries no reason.
        return "skipped" if skipped.get("message", "").startswith("skipped - ") else None
    return "failed" if case.find("failure") is not None or case.find("error") is not None else "passed"


def read_results(paths):
    """Results by name of the test. A step of the suite itself, as its preparation, counts when it failed."""
    found = {}
    for path in paths:
        for case in xml.etree.ElementTree.parse(path).iter("testcase"):
            kind, _, name = case.get("name").partition("] ")
            now = result(case)
            if kind != "[It":
                if now == "failed":
                    found[case.get("name")] = now
            elif "[Conformance]" in name:
                found[name] = now or found.get(name)
    return found


def main():
    left_out_path, amount, *reports = sys.argv[1:]
    left_out = read_left_out(left_out_path)
    results = read_results(reports)
    problems = []
    for name, found in sorted(results.items()):
        if name in left_out:
            if found == "passed":
                problems.append(f"passed, and is listed as one that cannot: {name}")
        elif found in ("failed", "skipped"):
            problems.append(f"{found}: {name}")
        elif found is None and amount != "some":
            problems.append(f"did not run: {name}")
    problems += [f"is listed, and there is no such test: {name}" for name in left_out if name not in results]
    for problem in problems:
        print(problem)
    passed = sum(found == "passed" for found in results.values())
    listed = sum(found in ("failed", "skipped") and name in left_out for name, found in results.items())
    failed = sum(found in ("failed", "skipped") and name not in left_out for name, found in results.items())
    print(f"{passed} passed, {failed} failed, {listed} left out")
    if problems or not passed:
        sys.exit(1)


if __name__ == "__main__":
    main()
