"""Runs one module of the interpreter's test suite and writes what became of every test.

run_suite.py FILE SECONDS MODULE    FILE gets a line of JSON for each outcome: [test, outcome, traceback];
                                    after SECONDS the stacks of all threads are printed and the process ends
run_suite.py FILE                   FILE gets the names of all modules

What the tests print is not looked at. An outcome is written at once, so that a crash leaves all before it
and the name of the test that crashed.
"""

import faulthandler
import json
import os
import sys
import traceback
import unittest


class Outcomes(unittest.TestResult):
    """Writes each outcome as it comes. Taken hold of here: what tests replace for a while."""

    def __init__(self, file):
        super().__init__()
        self.file = file
        self.process = os.getpid()
        self.os = {name: getattr(os, name) for name in ("open", "write", "close", "getpid")}
        self.dumps = json.dumps

    def note(self, test, outcome, error=None):
        if self.os["getpid"]() != self.process:
            return  # a forked child that came back here
        text = "" if error is None else "".join(traceback.format_exception(*error))
        line = self.dumps([str(test), outcome, text]) + "\n"
        file = self.os["open"](self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.os["write"](file, line.encode("ascii"))
        self.os["close"](file)

    def startTest(self, test):
        self.note(test, "started")

    def stopTest(self, test):
        self.note(test, "stopped")

    def addSuccess(self, test):
        self.note(test, "ok")

    def addError(self, test, err):
        self.note(test, "error: %s" % err[0].__name__, err)

    def addFailure(self, test, err):
        self.note(test, "failure", err)

    def addSkip(self, test, reason):
        self.note(test, "skipped")

    def addExpectedFailure(self, test, err):
        self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(subtest, "error: %s" % err[0].__name__, err)


def all_modules():
    """Names of the modules, without `test.`; large packages are taken apart."""
    from test.libregrtest.findtests import findtests

    return sorted(name.removeprefix("test.") for name in findtests())


def run(file, seconds, module):
    from test import support

    faulthandler.enable()
    faulthandler.dump_traceback_later(seconds, exit=True)
    # As `python -m test` without -u: nothing of the network, nothing that needs much memory or time.
    support.use_resources = ()
    result = Outcomes(os.path.abspath(file))
    try:
        tests = unittest.defaultTestLoader.loadTestsFromName("test." + module)
    except unittest.SkipTest:
        result.note(module, "skipped")
        return
    tests.run(result)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        with open(sys.argv[1], "w") as out:
            json.dump(all_modules(), out)
    else:
        run(sys.argv[1], float(sys.argv[2]), sys.argv[3])
