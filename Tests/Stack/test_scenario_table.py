# SPDX-License-Identifier: Apache-2.0
"""docs/credential-scenarios.md against the tests: every scenario has one, and names those that there are."""

import re
import unittest

from harness import ROOT

COUNTS = {"A": 10, "B": 10, "C": 20, "D": 15, "E": 9, "F": 5, "G": 8, "H": 9}


class Table(unittest.TestCase):
    def test_every_scenario_has_its_tests(self):
        text = (ROOT / "docs/credential-scenarios.md").read_text()
        rows = re.findall(r"(?m)^\| ([A-H]\d+) \| (.+?) \| (.+?) \|$", text)
        self.assertEqual([row[0] for row in rows], [f"{g}{n + 1}" for g, count in COUNTS.items() for n in range(count)])
        sources = {}
        for file in (ROOT / "Tests").rglob("*"):
            if file.suffix in (".py", ".swift"):
                sources[f"{file.parent.name}/{file.name}"] = file.read_text()
        everything = "\n".join(sources.values())
        for number, _, tests in rows:
            for test in re.findall(r"`(.+?)`", tests):
                if test.endswith(".swift"):
                    self.assertRegex(sources.get(test, ""), rf"\b{number}\b", f"{number}: {test}")
                else:
                    self.assertIn(f"def {test}(", everything, number)
                    self.assertRegex(test, rf"_{number.lower()}(_|$)", number)
            self.assertRegex(tests, r"`test_", f"{number} is shown from outside")


if __name__ == "__main__":
    unittest.main()
