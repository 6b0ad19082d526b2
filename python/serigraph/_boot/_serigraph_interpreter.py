# What this interpreter is, and whether Serigraph supports it.
#
# The `serigraph` program runs this text in interpreters that it looks at, and the start-up step
# imports it where it does not know the interpreter: it must run on any Python, however old.

import sys


def describe():
    """What this interpreter is, in words."""
    name = getattr(getattr(sys, "implementation", None), "name", "unknown")
    name = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}.get(name, name)
    words = [name + " " + ".".join(str(part) for part in sys.version_info[:3])]
    flags = getattr(sys, "abiflags", "")
    if hasattr(sys, "gettotalrefcount"):
        words.append("debug build")
    if "t" in flags:
        words.append("free-threaded build")
    if sys.maxsize <= 2**32:
        words.append("32-bit")
    if sys.platform != "linux" or _machine() != "x86_64":
        words.append("on " + sys.platform + " " + _machine())
    return ", ".join(words)


def is_supported():
    """Whether Serigraph can be used here."""
    return (
        getattr(getattr(sys, "implementation", None), "name", "") == "cpython"
        and (3, 12) <= sys.version_info[:2] <= (3, 13)
        and not hasattr(sys, "gettotalrefcount")
        and "t" not in getattr(sys, "abiflags", "")
        and sys.maxsize > 2**32
        and sys.platform == "linux"
        and _machine() == "x86_64"
    )


def _machine():
    import os

    return os.uname()[4]


def start_again(fields):
    """Lets the program look for another interpreter, or explain that there is none."""
    import os

    own = [word for key in ("python", "threshold") if key in fields for word in ("--" + key, fields[key])]
    own += ["--" + key for key in ("off", "stats") if key in fields]
    os.environ["SERIGRAPH_BOOT"] = "refused"
    arguments = getattr(sys, "orig_argv", None)
    if arguments is None:
        with open("/proc/self/cmdline", "rb") as words:
            arguments = words.read().split(b"\0")[:-1]
    os.execv(fields["program"], ["serigraph"] + own + arguments[1:])
