"""Runs one unittest module and writes the outcome of every test: run_suite.py MODULE FILE.

The file gets a JSON object: name of the test -> outcome. What the tests print is not looked at.
"""

import json
import sys
import unittest


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def note(self, test, outcome):
        name = str(test)
        # A test with several failing subtests, or that fails and then fails to clean up.
        self.outcomes[name] = self.outcomes.get(name, "") + outcome

    def addSuccess(self, test):
        self.note(test, "ok")

    def addError(self, test, err):
        self.note(test, "error: %s" % err[0].__name__)

    def addFailure(self, test, err):
        self.note(test, "failure")

    def addSkip(self, test, reason):
        self.note(test, "skipped")

    def addExpectedFailure(self, test, err):
        self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(subtest, "error: %s" % err[0].__name__)


def main(module, file):
    result = Outcomes()
    unittest.defaultTestLoader.loadTestsFromName("test." + module).run(result)
    with open(file, "w") as out:
        json.dump(result.outcomes, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
