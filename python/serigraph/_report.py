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
    """Statistics as text."""
    lines = ["serigraph:"]
    reasons = {name: dict(value) for name, value in stats.items() if isinstance(value, dict)}
    traces = stats.get("traces", [])
    for name, value in stats.items():
        if not isinstance(value, (dict, list)):
            lines.append("  %-28s %12s" % (name.replace("_", " "), _number(value)))
    for name, counts in reasons.items():
        lines.append("  %s:" % name.replace("_", " "))
        for reason, count in sorted(counts.items(), key=_most_first):
            lines.append("    %-40s %12s" % (reason, _number(count)))
        if not counts:
            lines.append("    none")
    lines.append("  traces: %d" % len(traces))
    for trace in sorted(traces, key=lambda trace: -trace.get("entered", 0))[:20]:
        lines.append("    " + _trace(trace))
    if len(traces) > 20:
        lines.append("    and %d more" % (len(traces) - 20))
    return "\n".join(lines) + "\n"


def _trace(trace):
    trace = dict(trace)
    head = "#%s %s %s:%s" % tuple(trace.pop(key, "?") for key in ("id", "kind", "file", "line"))
    rest = ["%s %s" % (key.replace("_", " "), _number(value)) for key, value in trace.items()]
    return ", ".join([head] + rest)


def _number(value):
    if isinstance(value, float):
        return "%.3f" % value
    return "{:,}".format(value) if isinstance(value, int) else str(value)


def _most_first(item):
    reason, count = item
    return (-count if isinstance(count, (int, float)) else 0, reason)
