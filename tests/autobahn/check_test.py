"""The checker itself: whatever is not as committed is a complaint."""

import json
import os
import unittest

import check

OK = ["OK", "OK"]
HERE = os.path.dirname(os.path.abspath(__file__))


class Complaints(unittest.TestCase):
    def test_there_are_none_when_all_is_as_expected(self):
        self.assertEqual(check.complaints({"1.1": OK, "9.1": OK}, {"1.1": OK}, ["1.*"]), [])

    def test_a_worse_and_a_better_outcome_are_complained_about(self):
        expected = {"1.1": OK, "1.2": ["INFORMATIONAL", "INFORMATIONAL"]}
        for found in (["NON-STRICT", "OK"], ["FAILED", "OK"], ["OK", "UNCLEAN"]):
            self.assertEqual(len(check.complaints(expected, {"1.1": found, "1.2": expected["1.2"]}, ["*"])), 1, found)
        self.assertIn("1.2", check.complaints(expected, {"1.1": OK, "1.2": OK}, ["*"])[0])

    def test_a_case_that_did_not_run_or_is_not_known_is_complained_about(self):
        self.assertEqual(check.complaints({"1.1": OK, "1.2": OK}, {"1.1": OK}, ["1.*"]), ["case 1.2 did not run"])
        self.assertEqual(check.complaints({}, {"1.1": OK}, ["*"]), ["case 1.1 is not in expected.json"])

    def test_a_bad_outcome_cannot_be_made_the_expected_one(self):
        bad = ["NON-STRICT", "OK"]
        self.assertEqual(len(check.complaints({"1.1": bad}, {"1.1": bad}, ["*"])), 1)

    def test_what_is_unimplemented_is_said_once_for_each_group(self):
        expected = {f"12.1.{n}": OK for n in range(1, 19)}
        found = {case: ["UNIMPLEMENTED", "OK"] for case in expected}
        self.assertEqual(len(check.complaints(expected, found, ["*"])), 1)


class Committed(unittest.TestCase):
    def test_every_group_of_the_suite_is_expected_in_full(self):
        expected = check.load(os.path.join(HERE, "expected.json"))
        groups = {}
        for case in expected:
            group = int(case.split(".")[0])
            groups[group] = groups.get(group, 0) + 1
        self.assertEqual(groups, {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1, 12: 90, 13: 126})

    def test_the_sample_leaves_out_nothing_but_the_long_ones(self):
        expected = check.load(os.path.join(HERE, "expected.json"))
        with open(os.path.join(HERE, "cases.json"), encoding="utf-8") as file:
            cases = json.load(file)
        self.assertEqual(cases["all"], ["*"])
        left_out = {case.split(".")[0] for case in expected if not check.matches(case, cases["sample"])}
        self.assertEqual(left_out, {"9", "12", "13"})
        sampled = {case.split(".")[0] for case in expected if check.matches(case, cases["sample"])}
        self.assertLessEqual({"12", "13"}, sampled)


if __name__ == "__main__":
    unittest.main()
