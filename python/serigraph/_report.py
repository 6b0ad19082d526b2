"""The report at exit, and its text."""

import os


def at_exit(form):
    """Reports when the process that asks now exits: `text` on stderr, `json:PATH` to a file; another
    form says why there is nothing to report."""
    import atexit

    process = os.getpid()

    def report():
        # A forked child that exits like a program is not the one that was asked about.
        if os.getpid() == process:
            _report(form)

    atexit.register(report)


def _report(form):
    import sys

    from . import stats

    if form.startswith("json:"):
        import json

        with open(form.removeprefix("json:"), "w", encoding="utf-8") as file:
            json.dump(stats(), file, indent=1)
        return
    lines = text(stats()) if form == "text" else "serigraph: %s\n" % form
    if sys.stderr is not None:
        sys.stderr.write(lines)
        sys.stderr.flush()


def text(stats):
    """Statistics as text: counters, counts by reason, then what concerns single places and traces."""
    lines = ["serigraph:"]
    for name, value in stats.items():
        if not isinstance(value, (dict, list)):
            lines.append("  %-28s %12s" % (_words(name), _number(value)))
    for name, value in stats.items():
        if isinstance(value, dict):
            lines.append("  %s:%s" % (_words(name), "" if value else " none"))
            for reason, count in sorted(value.items(), key=lambda item: (-item[1], item[0])):
                lines.append("    %-40s %12s" % (reason, _number(count)))
    for name, entries in stats.items():
        if isinstance(entries, list):
            lines.append("  %s: %d" % (_words(name), len(entries)))
            entries = sorted(entries, key=_weight, reverse=True)
            lines += ["    " + _entry(entry) for entry in entries[:SHOWN]]
            if len(entries) > SHOWN:
                lines.append("    and %d more" % (len(entries) - SHOWN))
    return "\n".join(lines) + "\n"


# Entries of a list that are worth showing; `stats()` has them all.
SHOWN = 20


def _weight(entry):
    return entry.get("entered", entry.get("count", 0))


def _entry(entry):
    """A trace, or a place where recording stopped, on one line."""
    rest = [
        "%s %s" % (_words(key), _number(value))
        for key, value in entry.items()
        if key not in ("id", "kind", "file", "line") and value != ""
    ]
    head = "%s:%s" % (entry.get("file", "?"), entry.get("line", "?"))
    if "id" in entry:
        head = "#%s %s %s" % (entry["id"], entry.get("kind", "trace"), head)
    return ", ".join([head] + rest)


def _words(name):
    return name.replace("_", " ")


def _number(value):
    if isinstance(value, float):
        return "%.3f" % value
    return "{:,}".format(value) if isinstance(value, int) else str(value)
