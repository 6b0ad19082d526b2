# requires: pylint==4.0.4
"""pylint checks a module of the standard library."""

import bisect
import io

from pylint.lint import Run
from pylint.reporters.text import TextReporter


def main():
    output = io.StringIO()
    Run([bisect.__file__, "--score=n", "--persistent=n"], reporter=TextReporter(output), exit=False)
    lines = output.getvalue().splitlines()
    return len(lines), sorted({line.split(": ")[1] for line in lines if ": " in line})


if __name__ == "__main__":
    print(main())
