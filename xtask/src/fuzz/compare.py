"""Runs a program in this process without Serigraph and with it, and compares all there is to see.

Serigraph must be there (the process is started with it) and switched off. The program is an ordinary script; each run has its
own namespace and its own code objects.
"""

import builtins
import gc
import io
import marshal
import random
import re
import resource
import signal
import sys
import threading

import serigraph

FILE = "<fuzz>"
BUILTINS = dict(vars(builtins))
MODULE = type(sys)

ADDRESS = re.compile("0x[0-9a-f]+")

# Blocks of memory that a run may leave behind: switching Serigraph on and off leaves some with the interpreter.
SLACK = 30

# Processor seconds: programs that take longer by themselves are of no use; with Serigraph they must end.
WITHOUT, WITH = 0.3, 20.0

# Bytes of address space.
MEMORY = 3 << 30

PASSES = ("refcount", "guards", "fold", "unbox", "cse", "memory", "peel", "sink", "reuse", "lower", "derive", "dead")


class TooSlow(BaseException):
    """Where a method like `__del__` swallows it, `told` remembers it, and it is raised again later, while the program runs."""

    told = False
    running = False


def too_slow(*_):
    if not TooSlow.running:
        return
    TooSlow.told = True
    signal.setitimer(signal.ITIMER_VIRTUAL, WITHOUT)
    raise TooSlow


class Result:
    """What a program did."""

    def __init__(self, lines, ending, objects, blocks):
        self.lines = lines
        self.ending = ending
        self.objects = objects
        self.blocks = blocks


def settings(text):
    """Settings of `serigraph.enable()` from a text like `threshold=1,opt=-peel-cse`."""
    options = {}
    for word in text.split(","):
        name, _, value = word.partition("=")
        options[name] = ",".join("-" + p for p in value.split("-")[1:]) if name == "opt" else int(value)
    return options


def drawn(seed):
    """The settings with which to compare a program: the thresholds, and two at random."""
    chooser = random.Random("settings %d" % seed)
    texts = ["threshold=%d" % chooser.choice((1, 1, 2, 16))]
    for _ in range(2):
        text = "threshold=%d" % chooser.choice((1, 2, 2, 3, 16))
        kind = chooser.random()
        if kind < 0.35:
            text += ",opt=-" + "-".join(chooser.sample(PASSES, chooser.choice((1, 1, 2, 5))))
        if 0.25 < kind < 0.6:
            text += ",random_ra=%d" % chooser.randrange(1000)
        if kind > 0.75:
            text += ",stop_after=%d" % chooser.choice((5, 30, 90, 250))
        if text not in texts:
            texts.append(text)
    return texts


def prepared(source):
    """The program's code, to be loaded anew for each run."""
    return marshal.dumps(compile(source, FILE, "exec"))


def run(code, options):
    """Runs it once; `options` are those of `enable()`, or None."""
    gc.collect()
    before, blocks_before = len(gc.get_objects()), sys.getallocatedblocks()
    module = MODULE("__main__")
    module.__file__ = FILE
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    out, real = io.StringIO(), sys.stdout
    ending, TooSlow.told, TooSlow.running = "", False, True
    signal.setitimer(signal.ITIMER_VIRTUAL, WITHOUT if options is None else WITH)
    sys.stdout = out
    try:
        if options is not None:
            serigraph.enable(**options)
        # Loaded now: the engine is told of new code objects.
        exec(marshal.loads(code), module.__dict__)
    except TooSlow:
        pass
    except BaseException as error:
        # Seen by the comparison as part of the output.
        tb, lines = error.__traceback__, []
        while tb:
            lines.append((tb.tb_frame.f_code.co_name, tb.tb_lineno))
            tb = tb.tb_next
        ending = "%s %s %s" % (type(error).__name__, error, lines[1:])
        del error, tb
    finally:
        TooSlow.running = False
        sys.settrace(None)
        sys.setprofile(None)
        serigraph.disable()
        sys.stdout = real
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        vars(builtins).update(BUILTINS)
        for tool in (1, 3, 4):
            if sys.monitoring.get_tool(tool):
                sys.monitoring.set_events(tool, 0)
                sys.monitoring.free_tool_id(tool)
    if TooSlow.told:
        ending = None
    text = ADDRESS.sub("0x", out.getvalue())
    module.__dict__.clear()
    del module, out
    gc.collect()
    objects, blocks = len(gc.get_objects()) - before, sys.getallocatedblocks() - blocks_before
    return Result(text.splitlines(), ending, objects, blocks)


def difference(expected, got):
    """The first difference in a text, or None."""
    for number, (left, right) in enumerate(zip(expected.lines, got.lines)):
        if left != right:
            return "line %d\n  expected %s\n  got      %s" % (number, left[:1500], right[:1500])
    if len(expected.lines) != len(got.lines) or expected.ending != got.ending:
        return "expected %d lines and %r, got %d and %r" % (len(expected.lines), expected.ending, len(got.lines), got.ending)
    return None


def leaks(code, options):
    """Whether every further run leaves more behind than runs by the interpreter do."""
    plain = [run(code, None) for _ in range(2)]
    with_serigraph = [run(code, options) for _ in range(2)]
    for what, slack, get in (("objects", 0, lambda r: r.objects), ("blocks", SLACK, lambda r: r.blocks)):
        most = max(0, *map(get, plain)) + slack
        if min(map(get, with_serigraph)) > most:
            return "%s %s stay, of the interpreter %s" % (list(map(get, with_serigraph)), what, list(map(get, plain)))
    return None


def baseline(code):
    """What the interpreter itself does; None for a program that is of no use."""
    signal.signal(signal.SIGVTALRM, too_slow)
    first = run(code, None)
    if first.ending is None or any("MemoryError" in text for text in [first.ending, *first.lines]):
        return None
    return first


def checked(code, expected, options):
    """The difference between what the interpreter did and what it does with Serigraph, or None."""
    # The end of the process: nothing that the program could catch.
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    got = run(code, options)
    found = difference(expected, got)
    if found is None and (got.objects > expected.objects or got.blocks > expected.blocks + SLACK):
        found = leaks(code, options)
    return found


def ready():
    """To be called once, before the first run."""
    # The kernel's time for pages is not the program's: it could take all there are before it is too slow.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    serigraph.disable()
    threading.Thread(target=int).start()
    gc.disable()
    gc.collect()
    gc.freeze()
