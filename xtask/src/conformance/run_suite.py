"""Runs one module of the interpreter's test suite and writes what became of every test.

run_suite.py FILE SECONDS MODULE         FILE gets a line of JSON for each outcome: [test, outcome, traceback];
                                         after SECONDS the stacks of all threads are printed and the process ends
run_suite.py FILE SECONDS MODULE leaks   the module is run again and again, as with -R of `python -m test`; the
                                         outcomes are whether objects, memory blocks or file descriptors get more
run_suite.py FILE                        FILE gets the names of all modules

What the tests print is not looked at. An outcome is written at once, so that a crash leaves all before it
and the name of the test that crashed.
"""

import faulthandler
import gc
import json
import os
import signal
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
        self.write(str(test), outcome, "" if error is None else "".join(traceback.format_exception(*error)))

    def write(self, test, outcome, text):
        line = self.dumps([test, outcome, text]) + "\n"
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


def hunt_leaks(module, name, result):
    """What -R 4:4 does. That counts references in debug builds only: here the collector's objects take their place.

    What grows is looked at again after more runs: machine code keeps the memory of up to 64 ints.
    """
    from test.libregrtest import refleak
    from test.libregrtest.runtests import HuntRefleak

    sys.gettotalrefcount = lambda: len(gc.get_objects())
    file = result.file + ".leaks"
    for warmups in (4, 72):
        file = "%s.after-%d" % (result.file, warmups)
        failed, _ = refleak.runtest_refleak(module, lambda: run_anew(name), HuntRefleak(warmups, 4, file), True)
        lines = open(file).read().splitlines() if failed else []
        if not failed:
            break
    for what in ("references", "memory blocks", "file descriptors"):
        leaked = [line for line in lines if what in line]
        result.write(module + " keeps " + what.replace("references", "objects"), "more each time" if leaked else "ok", "\n".join(leaked))


def run_anew(name):
    """Runs the tests of a module, loaded as at first; nothing of them stays."""
    unittest.defaultTestLoader.loadTestsFromName(name).run(unittest.TestResult())


def run(file, seconds, module, leaks=None):
    from test import support

    # Whoever starts it in the background has Ctrl-C ignored, and tests that interrupt themselves would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable()
    faulthandler.dump_traceback_later(seconds, exit=True)
    # As `python -m test` without -u: nothing of the network, nothing that needs much memory or time.
    support.use_resources = ()
    result = Outcomes(os.path.abspath(file))
    name = "test." + module
    try:
        tests = unittest.defaultTestLoader.loadTestsFromName(name)
    except unittest.SkipTest:
        result.note(module, "skipped")
        return
    if leaks:
        del tests
        hunt_leaks(module, name, result)
    else:
        tests.run(result)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        with open(sys.argv[1], "w") as out:
            json.dump(all_modules(), out)
    else:
        run(sys.argv[1], float(sys.argv[2]), *sys.argv[3:])
