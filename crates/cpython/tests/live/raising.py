"""The raiser makes each instruction raise, with the interpreter's own handling; unwinding by hand does the same."""
import dis
import sys
import traceback

import live_probe

live_probe.start()
live_probe.claim()

# Each body is the inside of a loop with one instruction of interest. `v` and the others are never reached.
BODIES = {
    'BINARY_OP': ['v + 1', 'v ** 2', 'v @ 2'], 'COMPARE_OP': ['v < 1', 'v == 1'], 'BINARY_SUBSCR': ['v[0]'],
    'STORE_SUBSCR': ['v[0] = 1'], 'DELETE_SUBSCR': ['del v[0]'], 'BINARY_SLICE': ['v[1:2]'], 'STORE_SLICE': ['v[1:2] = 3'],
    'UNARY_NEGATIVE': ['-v'], 'UNARY_INVERT': ['~v'], 'CONTAINS_OP': ['1 in v', '1 not in v'], 'LOAD_ATTR': ['v.a', 'v.m()'],
    'STORE_ATTR': ['v.a = 1'], 'DELETE_ATTR': ['del v.a'], 'GET_ITER': ['[w for w in v]'], 'UNPACK_SEQUENCE': ['a, b = v'],
    'UNPACK_EX': ['a, *b = v'], 'LIST_EXTEND': ['[1, *v]'], 'SET_UPDATE': ['{1, *v}'], 'SET_ADD': ['{w for w in v}'],
    'MAP_ADD': ['{w: w for w in v}'], 'BUILD_SET': ['{v, 1}'], 'BUILD_MAP': ['{v: 1, 2: 3}'], 'CALL': ['v()', 'v(1, 2)', 'v.m(1)', 'v.m()'],
    'CALL_FUNCTION_EX': ['v(*a)', 'v(*a, **b)'], 'FOR_ITER': [], 'BEFORE_WITH': ['with v: pass'],
    'CALL_INTRINSIC_1': ['+v'], 'GET_LEN': [],
}
if sys.version_info >= (3, 13):
    BODIES |= {'TO_BOOL': ['if v: pass'], 'CALL_KW': ['v(a=1)'], 'FORMAT_SIMPLE': ['f"{v}"'], 'CONVERT_VALUE': ['f"{v!r}"', 'f"{v!s}"'],
               'FORMAT_WITH_SPEC': ['f"{v:>3}"']}
else:
    BODIES |= {'FORMAT_VALUE': ['f"{v}"', 'f"{v!r}"', 'f"{v:>3}"', 'f"{v!r:>3}"'], 'UNARY_NOT': ['a = not v'],
               'POP_JUMP_IF_FALSE': ['if v: pass'], 'POP_JUMP_IF_TRUE': ['if not v: pass']}

TEMPLATE = '''
def f(v, w, a, b):
    for i in range(3):
        try:
            {body}
        except KeyError as error:
            return error, error.__traceback__.tb_lineno, sys.exc_info()[1] is error
        finally:
            done.append(1)
'''
done = []


def make(body):
    namespace = {'sys': sys, 'done': done}
    exec(TEMPLATE.format(body=body), namespace)
    return namespace['f']


class Anything:
    """A value that lets the loop body finish, so that the jump is reached."""
    def __getattr__(self, name): return Anything()
    def __call__(self, *a, **k): return self
    def __iter__(self): return iter((1, 2))
    def __getitem__(self, k): return 1
    def __setitem__(self, k, v): pass
    def __delitem__(self, k): pass
    def __delattr__(self, k): pass
    def __contains__(self, k): return True
    def __add__(self, o): return 1
    def __pow__(self, o): return 1
    def __matmul__(self, o): return 1
    def __lt__(self, o): return True
    def __neg__(self): return 1
    def __pos__(self): return 1
    def __invert__(self): return 1
    def __hash__(self): return 1
    def __enter__(self): return 1
    def __exit__(self, *a): return False
    def __format__(self, spec): return 'x'


count = 0
for name, bodies in BODIES.items():
    for body in bodies:
        f = make(body)
        code = f.__code__
        value = Anything()
        assert f(value, value, (1,), {'k': 1}) is None, body
        instructions, _ = live_probe.validate(code)
        base = min(depth for _, opname, _, _, depth in instructions if opname == 'JUMP_BACKWARD' and depth >= 0)
        for index, (at, opname, oparg, _, depth) in enumerate(instructions):
            if opname != name or depth < base:
                continue
            if name == 'CALL_INTRINSIC_1' and oparg != 5 or name == 'BINARY_OP' and depth - base != 2:
                continue
            if live_probe.describe(code)[4][at] == -1:
                continue
            stack = [1] * (depth - base)
            if name == 'CALL' and '.' not in body:
                # A plain call has a null below or above the callable.
                stack[0 if sys.version_info < (3, 13) else 1] = ...
            if name == 'CALL_KW':
                stack[1], stack[-1] = ..., ('a',)
            if name == 'CALL_FUNCTION_EX':
                flags = oparg & 1
                stack[0 if sys.version_info < (3, 13) else 1] = ...
                stack[-1 - flags] = ()
                if flags:
                    stack[-1] = {}
            if name == 'FORMAT_VALUE' and oparg & 4:
                stack[-1] = '>3'
            if name == 'FORMAT_WITH_SPEC':
                stack[-1] = '>3'
            if name in ('SET_ADD', 'SET_UPDATE', 'MAP_ADD', 'LIST_EXTEND'):
                # The container lies below; its place is oparg values under the operands.
                operands = 2 if name == 'MAP_ADD' else 1
                stack[len(stack) - operands - oparg] = {'SET_ADD': set(), 'SET_UPDATE': set(), 'MAP_ADD': {}, 'LIST_EXTEND': []}[name]
            error = KeyError(body)
            live_probe.events(code, 1)
            live_probe.plan_raise(code, at, tuple(stack), error)
            done.clear()
            result = f(value, value, (1,), {'k': 1})
            assert result is not None, (name, body)
            assert result[0] is error and result[1] == 5 and result[2], (name, body, result)
            assert done[-1:] == [1]
            # The same with unwinding by hand.
            error = KeyError(body)
            f = make(body)
            code = f.__code__
            live_probe.events(code, 1)
            live_probe.plan_unwind(code, at, error)
            result = f(value, value, (1,), {'k': 1})
            assert result[0] is error and result[1] == 5 and result[2], (name, body, result)
            count += 1
            break
        else:
            raise AssertionError(f'{name} not found in {body}')
assert count >= 38, count


# A for loop whose iterator raises; no handler: the traceback has one entry, of the right line.
def plain(v):
    for i in v:
        i = i + 1
        last = i.real
    return 'end'


def sums(v):
    return [plain(v), 1]


code = plain.__code__
for_iter = next(i.offset // 2 for i in dis.get_instructions(code) if i.opname == 'FOR_ITER')
attribute = next(i.offset // 2 for i in dis.get_instructions(code) if i.opname == 'LOAD_ATTR')
for at, how, line in ((attribute, 'raise', 3), (attribute, 'unwind', 3)):
    live_probe.events(code, 1)
    error = ZeroDivisionError('unhandled')
    if how == 'raise':
        live_probe.plan_raise(code, at, (1,), error)
    else:
        live_probe.plan_unwind(code, at, error)
    try:
        sums([1, 2, 3])
    except ZeroDivisionError as caught:
        assert caught is error
        entries = [(e.name, e.lineno - code.co_firstlineno) for e in traceback.extract_tb(caught.__traceback__)]
        assert [name for name, _ in entries] == ['<module>', 'sums', 'plain'] and entries[-1][1] == line, entries
    else:
        raise AssertionError(how)

# RAISE and EXCEPTION_HANDLED events of other tools come from the interpreter.
M = sys.monitoring
seen = []
f = make('v.a')
code = f.__code__
live_probe.events(code, 1)
M.use_tool_id(1, 'watching')
for event in ('RAISE', 'EXCEPTION_HANDLED'):
    M.register_callback(1, getattr(M.events, event), lambda code, offset, error, event=event: seen.append(event))
M.set_events(1, M.events.RAISE | M.events.EXCEPTION_HANDLED)
at = next(i.offset // 2 for i in dis.get_instructions(code) if i.opname == 'LOAD_ATTR')
live_probe.plan_raise(code, at, (1,), KeyError('seen'))
assert f(Anything(), 1, 1, 1) is not None
M.set_events(1, 0)
assert seen[:2] == ['RAISE', 'EXCEPTION_HANDLED'], seen
