"""The settings: one table, from which values are checked and the documentation is made.

A setting `name` is given as the keyword `name` of `serigraph.enable()` or as the environment variable
`SERIGRAPH_NAME`. Only settings that were given reach the engine, which knows the defaults.
"""

PREFIX = "SERIGRAPH_"

STAGES = ("record", "opt", "regalloc", "asm")
LEVELS = ("error", "warn", "info", "debug", "trace")


class OptionError(ValueError):
    """A setting with a value that it cannot have, or that does not exist."""


def _integer(least):
    def parse(text):
        if not (text.isascii() and text.isdigit()) or not least <= int(text) < 2**63:
            raise ValueError("must be an integer of at least %d" % least)
        return int(text)

    return parse


def _flag(text):
    if text not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return text == "1"


def _stats(text):
    if text in ("0", "1"):
        return "text" if text == "1" else ""
    if not text.startswith("json:") or text == "json:":
        raise ValueError("must be 0, 1 or json:PATH")
    return text


def _log(text):
    if text.partition(":")[0] not in LEVELS:
        raise ValueError("must be a level (%s), or LEVEL:PATH" % ", ".join(LEVELS))
    return text


def _dump(text):
    for stage in text.partition(":")[0].split(","):
        if stage not in STAGES:
            raise ValueError("must be a list of stages (%s), or LIST:PATH" % ", ".join(STAGES))
    return text


def _passes(text):
    for word in text.split(","):
        if not word.startswith("-") or not word[1:].replace("_", "").replace("-", "").isalnum():
            raise ValueError("must be a list of passes to leave out, like -cse,-peel")
    return text


def _traces(text):
    for word in text.split(","):
        first, dash, last = word.partition("-")
        if not first.isdecimal() or dash and not last.isdecimal():
            raise ValueError("must be a list of trace numbers and ranges, like 3,8-11")
    return text


class Option:
    """A setting: its name, how its text is read, and what the documentation says."""

    __slots__ = ("name", "parse", "default", "text", "for_engine")

    def __init__(self, name, parse, default, text, for_engine=True):
        self.name = name
        self.parse = parse
        self.default = default
        self.text = text
        self.for_engine = for_engine

    @property
    def variable(self):
        """The environment variable of the setting."""
        return PREFIX + self.name.upper()


TABLE = {
    option.name: option
    for option in (
        Option(
            "threshold",
            _integer(1),
            "as shipped",
            "compile a loop when its back edge has been taken this many times; `cargo xtask bench threshold` "
            "measures the curve from which the shipped number is chosen",
        ),
        Option(
            "stats",
            _stats,
            "0",
            "1: print at exit what was compiled, entered, left and aborted, with named reasons; "
            "json:PATH: write it to a file",
            for_engine=False,
        ),
        Option("log", _log, "none", "LEVEL or LEVEL:PATH: what the engine does, as it does it"),
        Option(
            "dump",
            _dump,
            "none",
            "stages of every trace as text (record, opt, regalloc, asm), to stderr or, with :PATH, "
            "to a file",
        ),
        Option("opt", _passes, "all passes", "optimiser passes to leave out, like -cse,-peel"),
        Option("only", _traces, "all traces", "numbers of the traces to compile, like 3,8-11"),
        Option("random_ra", _integer(0), "off", "a seed: the register allocator chooses at random"),
        Option(
            "stop_after",
            _integer(0),
            "off",
            "for tests of the recorder: recordings stop after 0, 1, ... up to this many instructions, in turn",
        ),
        Option("code_limit", _integer(4096), "67108864", "bytes of machine code and its data"),
        Option(
            "fallback",
            _flag,
            "0",
            "1: run the program without Serigraph where the interpreter is not supported",
            for_engine=False,
        ),
    )
}

# Variables that are not settings of a run: the interpreter to use, what the start-up step is told.
OTHER_VARIABLES = (PREFIX + "PYTHON", PREFIX + "BOOT")


def from_environment(environ):
    """The settings in the environment, checked."""
    names = {option.variable: option for option in TABLE.values()}
    settings = {}
    if environ.get("SERIGRAPH", "") not in ("", "0", "1"):
        raise OptionError("SERIGRAPH must be 0 or 1, not %r" % environ["SERIGRAPH"])
    for variable in environ:
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
            continue
        if variable not in names:
            known = ", ".join(sorted(names))
            raise OptionError("%s: there is no such setting; there are %s" % (variable, known))
        # An empty variable is one that is not set.
        if environ[variable]:
            option = names[variable]
            settings[option.name] = check(option.name, environ[variable], variable)
    return settings


def check(name, value, source=None):
    """The value of a setting, from text or from what `enable()` was given."""
    if name not in TABLE:
        raise OptionError("%s: there is no such setting; there are %s" % (name, ", ".join(TABLE)))
    if value is True or value is False:
        value = str(int(value))
    try:
        return TABLE[name].parse(str(value))
    except ValueError as error:
        raise OptionError("%s %s, not %r" % (source or name, error, value)) from None


def for_engine(settings):
    """The settings that the engine is given."""
    return {name: value for name, value in settings.items() if TABLE[name].for_engine}


def documentation():
    """The table in Markdown."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    rows += [
        "| `%s` | %s | %s |" % (option.variable, option.default, option.text)
        for option in TABLE.values()
    ]
    return "\n".join(rows) + "\n"
