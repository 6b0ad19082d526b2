"""A plugin of pytest: the outcome of each test, a line of JSON each, in the file that PACKAGES_OUTCOMES names."""

import json
import os

# Taken hold of here: tests replace much for a while.
write, dumps = os.write, json.dumps
file = os.open(os.environ["PACKAGES_OUTCOMES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        text = "" if report.outcome != "failed" else report.longreprtext
        write(file, (dumps([report.nodeid, report.when + " " + report.outcome, text]) + "\n").encode("ascii"))


def pytest_collectreport(report):
    if report.failed:
        write(file, (dumps([report.nodeid, "collect failed", report.longreprtext]) + "\n").encode("ascii"))
