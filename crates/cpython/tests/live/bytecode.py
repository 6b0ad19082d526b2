"""The bytecode tables, decoder and stack analysis agree with the interpreter's own."""
import dis
import opcode
import os
import types

import live_probe

live_probe.start()

# Numbers of all real opcodes; RESERVED and ENTER_EXECUTOR are in no code object.
ours = {name: number for name, number, _ in live_probe.opcodes()}
theirs = {name: number for name, number in opcode.opmap.items() if number < 236 and not name.startswith('INSTRUMENTED')}
specialized = getattr(opcode, '_specialized_opmap', None)
if specialized is None:
    specialized = {name: opcode._all_opmap[name] for name in opcode._specialized_instructions} if hasattr(opcode, '_all_opmap') else None
for name in ('RESERVED', 'ENTER_EXECUTOR'):
    theirs.pop(name, None)
assert {name: number for name, number in theirs.items() if name not in (specialized or {})} == ours, \
    (set(theirs.items()) ^ set(ours.items()))

caches = {name: n for name, _, n in live_probe.opcodes() if n}
their_caches = opcode._inline_cache_entries
if isinstance(their_caches, dict):
    their_caches = {name: n for name, n in their_caches.items() if n and name in ours}
else:
    their_caches = {opcode.opname[number]: n for number, n in enumerate(their_caches) if n and opcode.opname[number] in ours}
assert caches == their_caches, (caches, their_caches)

if specialized is not None:
    form = {name: number for name, number, _ in live_probe.specialized()}
    assert form == specialized, set(form.items()) ^ set(specialized.items())
else:
    names = {name for name, _, _ in live_probe.specialized()}
    assert names == set(opcode._specialized_instructions), names ^ set(opcode._specialized_instructions)
for name, number, base in live_probe.specialized():
    family = next((family for family, members in opcode._specializations.items() if name in members), None)
    assert family is None or family == base, (name, family, base)

instrumented = dict(live_probe.instrumented())
for name, number in opcode.opmap.items():
    if name.startswith('INSTRUMENTED'):
        assert instrumented[name] == number, name

# Stack effects, without jumps (FOR_ITER and SEND are checked by the depths below).
for name, number in ours.items():
    if name in ('CACHE', 'EXTENDED_ARG'):
        continue
    has_argument = number in dis.hasarg
    for oparg in range(0, 12) if has_argument else [0]:
        try:
            theirs = dis.stack_effect(number, oparg if has_argument else None, jump=False)
        except ValueError:
            continue
        effect = live_probe.effect(number, oparg)
        if effect is None:
            assert oparg <= 1, (name, oparg)
            continue
        if name == 'RETURN_GENERATOR':
            theirs = 1  # 3.12 counts the value that is sent in from the start of the code instead.
        assert effect == theirs, (name, oparg, effect, theirs)


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from code_objects(constant)


def sources():
    root = os.path.dirname(os.__file__)
    for folder in (root, os.path.join(root, 'asyncio'), os.path.join(root, 'test')):
        if os.path.isdir(folder):
            names = sorted(name for name in os.listdir(folder) if name.endswith('.py'))
            yield from (os.path.join(folder, name) for name in names[:: 4 if folder == root else 20])


def compare(code):
    result = live_probe.validate(code)
    assert not isinstance(result, str), (code, result)
    instructions, headers = result
    expected = []
    for instruction in dis.get_instructions(code):
        if instruction.opname == 'EXTENDED_ARG':
            continue
        target = instruction.argval // 2 if instruction.opcode in dis.hasjrel else -1
        arg = instruction.arg
        expected.append((instruction.offset // 2, instruction.opname, arg, target))
    assert len(expected) == len(instructions)
    deepest = 0
    for (at, name, oparg, target, depth), (their_at, their_name, arg, their_target) in zip(instructions, expected):
        assert (at, name) == (their_at, their_name), (at, name, their_at, their_name)
        assert arg is None or oparg == arg, (at, name, oparg, arg)
        assert target == their_target, (at, name, target, their_target)
        deepest = max(deepest, depth)
    assert deepest <= code.co_stacksize
    back = {t for _, name, _, t, depth in instructions if name == 'JUMP_BACKWARD' and depth >= 0}
    assert set(headers) == back, (headers, back)
    qualname, filename, slots, lines, handlers = live_probe.describe(code)
    assert (qualname, filename) == (code.co_qualname, code.co_filename)
    names = [slot.split(' ')[1] for slot in slots]
    assert names[:code.co_nlocals] == list(code.co_varnames)
    assert {name for slot, name in zip(slots, names) if 'Free' in slot} == set(code.co_freevars)
    assert {name for slot, name in zip(slots, names) if 'Cell' in slot} == set(code.co_cellvars)
    for start, end, line in code.co_lines():
        assert all(ours == (-1 if line is None else line) for ours in lines[start // 2:end // 2])
    expected = [-1] * len(handlers)
    for entry in dis._parse_exception_table(code):
        expected[entry.start // 2:entry.end // 2] = [entry.target // 2] * ((entry.end - entry.start) // 2)
    assert handlers == expected


count = 0
for path in sources():
    with open(path, encoding='utf-8', errors='replace') as file:
        source = file.read()
    try:
        module = compile(source, path, 'exec', dont_inherit=True)
    except (SyntaxError, ValueError):
        continue
    for code in code_objects(module):
        compare(code)
        count += 1
assert count > 2000, count

# Code that has run, is specialised and instrumented validates to the same.
import sys
import json.decoder
import re
functions = [re._compile, json.decoder.py_scanstring, re._parser._parse, dis.get_instructions]
before = [live_probe.validate(f.__code__) for f in functions]
for _ in range(50):
    re.compile('(a|b)*c{%d}' % _)
    json.decoder.py_scanstring('abc"', 0)
M = sys.monitoring
M.use_tool_id(3, 'test')
for f in functions:
    M.set_local_events(3, f.__code__, M.events.JUMP | M.events.CALL | M.events.PY_RETURN)
assert before == [live_probe.validate(f.__code__) for f in functions]

# LINE and INSTRUCTION events hide the instructions, as long as they are on.
for event in (M.events.LINE, M.events.INSTRUCTION):
    for f in functions:
        M.set_local_events(3, f.__code__, event | M.events.JUMP)
    hidden = [live_probe.validate(f.__code__) for f in functions]
    assert all(isinstance(refusal, str) and 'hide' in refusal for refusal in hidden), hidden
    for f in functions:
        M.set_local_events(3, f.__code__, 0)
    assert before == [live_probe.validate(f.__code__) for f in functions]
M.free_tool_id(3)

# Crafted code is refused with a text.
def small():
    return 1
for change in ({'co_stacksize': 0}, {'co_code': b'\xff\0' * 4}, {'co_code': small.__code__.co_code[:2]}, {'co_consts': ()},
               {'co_exceptiontable': b'\x80\x01\x7f'}, {'co_code': small.__code__.co_code + bytes([dis.opmap['LOAD_ATTR'], 0])}):
    refusal = live_probe.validate(small.__code__.replace(**change))
    assert isinstance(refusal, str) or change == {'co_stacksize': 0}, (change, refusal)

# The interpreter specialises the second time that it runs code; whether it could or not, warming up is over then.
import functools
def specialised(x):
    return len(x)
def failing(x):
    return x.missing
def jumping(x):
    if x is not None:
        return len(x)
def nothing(x):
    return x
for function, argument, warm in [(specialised, (), [1, 1, 0]), (failing, functools.partial(int), [1, 1, 0]), (jumping, (), [0, 0, 0]),
                                 (nothing, (), [0, 0, 0])]:
    seen = []
    for _ in warm:
        seen.append(live_probe.warming_up(function.__code__))
        try:
            function(argument)
        except AttributeError:
            pass
    assert seen == warm, (function, seen)
    for _ in range(300):
        try:
            function(argument)
        except AttributeError:
            pass
        assert not live_probe.warming_up(function.__code__), function
