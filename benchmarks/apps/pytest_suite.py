# requires: pytest==9.0.1
"""pytest collects and runs a suite."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

SUITE = """
import pytest

@pytest.fixture
def numbers():
    return list(range(50))

@pytest.mark.parametrize("n", range(40))
def test_sum(numbers, n):
    assert sum(numbers[:n]) == n * (n - 1) // 2

class TestTexts:
    @pytest.mark.parametrize("word", ["one", "two", "three"])
    def test_upper(self, word):
        assert word.upper().lower() == word

    def test_raises(self):
        with pytest.raises(ValueError):
            int("x")
"""


class Count:
    def __init__(self):
        self.outcomes = {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.outcomes[report.outcome] = self.outcomes.get(report.outcome, 0) + 1


def main():
    folder = Path(tempfile.mkdtemp(prefix="serigraph-pytest-"))
    count = Count()
    stdout = sys.stdout
    try:
        (folder / "test_suite.py").write_text(SUITE)
        # Its report goes nowhere: standard output belongs to the benchmark.
        with open("/dev/null", "w") as sys.stdout:
            status = pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)], [count])
        return int(status), count.outcomes
    finally:
        sys.stdout = stdout
        sys.modules.pop("test_suite", None)
        shutil.rmtree(folder)


if __name__ == "__main__":
    print(main())
