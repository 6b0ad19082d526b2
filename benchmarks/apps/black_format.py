# requires: --no-binary=black black==25.11.0
"""black, as pure Python, formats a module of the standard library."""

import textwrap
from pathlib import Path
from zlib import crc32

import black

# A part of the module, so that a call takes a fraction of a second.
SOURCE = "\n".join(Path(textwrap.__file__).read_text().splitlines()[:250]) + "\n        pass\n"


def main():
    mode = black.Mode(line_length=60, target_versions={black.TargetVersion.PY312})
    formatted = black.format_str(SOURCE, mode=mode)
    return len(formatted) > 0, crc32(formatted.encode())


if __name__ == "__main__":
    print(main())
