"""Makes a failing program small: statements and parts of expressions go as long as it still fails in the same way.

Each candidate is compared in a forked child, so that crashes and endless loops are found out, and cost nothing to start.
"""

import ast
import copy
import os
import signal
import sys
import time

import compare


def verdict(source, options):
    """How a program fails: `different`, `leak`, a signal; None if it does not, or is no program."""
    try:
        code = compare.prepared(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    child = os.fork()
    if child == 0:
        status = 9
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 2)
            expected = compare.baseline(code)
            # What is not the same every time says nothing.
            again = expected and compare.baseline(code)
            if not again or compare.difference(expected, again):
                os._exit(0)
            found = compare.checked(code, expected, options)
            status = 0 if not found else 2 if " stay, " in found else 1
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return "signal %d" % os.WTERMSIG(status)
    return {0: None, 1: "different", 2: "leak"}.get(os.WEXITSTATUS(status))


class Reducer:
    def __init__(self, source, options, seconds):
        self.options = options
        self.kind = verdict(source, options)
        self.tree = ast.parse(source)
        self.until = time.monotonic() + seconds
        self.tried = 0

    def fails(self, tree):
        self.tried += 1
        try:
            text = ast.unparse(ast.fix_missing_locations(tree))
        except (ValueError, AttributeError, IndexError):
            return False
        return verdict(text, self.options) == self.kind

    def late(self):
        return time.monotonic() > self.until

    def lists(self, tree):
        """Every list of nodes in the tree that may get shorter."""
        found = []
        for node in ast.walk(tree):
            for field, value in ast.iter_fields(node):
                if isinstance(value, list) and value and isinstance(value[0], ast.AST):
                    found.append((node, field))
        return found

    def shorten(self):
        """Takes pieces out of the lists, large pieces first."""
        changed = False
        number = 0
        while not self.late():
            lists = self.lists(self.tree)
            if number >= len(lists):
                return changed
            node, field = lists[number]
            number += 1
            size = len(getattr(node, field))
            piece = size
            while piece and not self.late():
                at = 0
                while at < len(getattr(node, field)):
                    whole = getattr(node, field)
                    rest = whole[:at] + whole[at + piece:]
                    if not rest and field == "body":
                        rest = [ast.Pass()]
                        if len(whole) == 1 and isinstance(whole[0], ast.Pass):
                            break
                    setattr(node, field, rest)
                    if self.fails(self.tree):
                        changed = True
                    else:
                        setattr(node, field, whole)
                        at += piece
                    if self.late():
                        break
                piece //= 2
        return changed

    def hoist(self):
        """Puts the body of a compound statement in its place."""
        changed = False
        for node in list(ast.walk(self.tree)):
            for field in ("body", "orelse", "finalbody"):
                statements = getattr(node, field, None)
                if not isinstance(statements, list):
                    continue
                at = 0
                while at < len(statements) and not self.late():
                    inner = statements[at]
                    for part in ("body", "orelse", "finalbody"):
                        body = getattr(inner, part, None)
                        if isinstance(body, list) and body and not isinstance(inner, (ast.FunctionDef, ast.ClassDef)):
                            before = statements[:]
                            statements[at:at + 1] = body
                            if self.fails(self.tree):
                                changed = True
                                break
                            statements[:] = before
                    at += 1
        return changed

    def simplify(self):
        """Puts a part of an expression, or a constant, in the place of the whole."""
        changed = False
        for node in list(ast.walk(self.tree)):
            for field, value in list(ast.iter_fields(node)):
                places = []
                if isinstance(value, ast.expr):
                    places.append((value, lambda new, node=node, field=field: setattr(node, field, new)))
                elif isinstance(value, list):
                    for at, item in enumerate(value):
                        if isinstance(item, ast.expr):
                            places.append((item, lambda new, value=value, at=at: value.__setitem__(at, new)))
                for old, put in places:
                    if self.late():
                        return changed
                    if isinstance(old, (ast.Constant, ast.Name)) or isinstance(getattr(old, "ctx", None), (ast.Store, ast.Del)):
                        continue
                    parts = [p for p in ast.iter_child_nodes(old) if isinstance(p, ast.expr)]
                    for new in [ast.Constant(1)] + [copy.deepcopy(p) for p in parts]:
                        put(new)
                        if self.fails(self.tree):
                            changed = True
                            break
                        put(old)
        return changed

    def run(self):
        if self.kind is None:
            return None
        while not self.late():
            steps = [self.shorten(), self.hoist(), self.shorten(), self.simplify()]
            if not any(steps):
                break
        return ast.unparse(ast.fix_missing_locations(self.tree))


def main(settings, path, seconds="120"):
    """Prints the reduced program, how it fails in a comment in front."""
    compare.ready()
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    with open(path) as file:
        source = file.read()
    reducer = Reducer(source, compare.settings(settings), float(seconds))
    text = reducer.run()
    if text is None:
        sys.exit("it does not fail")
    print("# settings: %s" % settings)
    print(text)
    print("reduced in %d steps; it fails: %s" % (reducer.tried, reducer.kind), file=sys.stderr)
