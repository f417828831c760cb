"""Compares what the Autobahn test suite found with what is committed in expected.json.

A line of expected.json is a case: how it ends and how its closing handshake ends. Every difference is a complaint, a better result too:
it has to be committed to be kept.
"""

import json
from collections import Counter, defaultdict
from fnmatch import fnmatchcase

# The suite grades cases on which RFC 6455 leaves the choice as INFORMATIONAL; nothing else may be expected.
GOOD = {"OK", "INFORMATIONAL"}


def load(path):
    """The expectations: {case: [behaviour, behaviour of the close]}."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def save(path, found):
    """Writes expectations, one case a line, in the order of their numbers."""
    lines = [f"  {json.dumps(case)}: {json.dumps(found[case])}" for case in sorted(found, key=_number)]
    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


def found_in(report, agent):
    """The outcomes in the suite's index.json, in the form of the expectations."""
    with open(report, encoding="utf-8") as file:
        cases = json.load(file).get(agent, {})
    return {case: [outcome["behavior"], outcome["behaviorClose"]] for case, outcome in cases.items()}


def matches(case, patterns):
    """Whether a case is among those that the suite was asked to run."""
    return any(fnmatchcase(case, pattern) for pattern in patterns)


def complaints(expected, found, patterns):
    """What is wrong, one sentence each; empty when all is as expected."""
    wrong = [
        f"expected.json: case {case} is expected to be {' and '.join(outcome)}: only {' and '.join(sorted(GOOD))} may be expected"
        for case, outcome in expected.items()
        if not GOOD.issuperset(outcome)
    ]
    wrong += [f"case {case} did not run" for case in expected if matches(case, patterns) and case not in found]
    wrong += [f"case {case} is not in expected.json" for case in found if case not in expected]
    unimplemented = defaultdict(int)
    for case in sorted(found, key=_number):
        if case not in expected or found[case] == expected[case]:
            continue
        if found[case][0] == "UNIMPLEMENTED":
            unimplemented[case.split(".")[0]] += 1
            continue
        wrong.append(
            "case {}: {}, at its close {}; expected {}, at its close {}".format(case, *found[case], *expected[case])
        )
    wrong += [
        f"cases {group}.*: {count} are UNIMPLEMENTED: the server did not agree to the extension they need"
        for group, count in unimplemented.items()
    ]
    return wrong


def summary(found):
    """How many cases ended how."""
    return ", ".join(f"{count} {outcome}" for outcome, count in Counter(outcome[0] for outcome in found.values()).most_common())


def _number(case):
    return [int(part) for part in case.split(".")]
