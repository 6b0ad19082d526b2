"""Code objects that no compiler makes: they may be created, shown and dropped, and some can be run."""

import dis
import random
import types


def loop(n):
    total = 0
    for i in range(n):
        total += i
        if i % 7 == 3:
            total -= 1
    while n:
        n -= 1
    return total


def shifted(code, delta):
    """The same instructions behind `delta` instructions that do nothing."""
    return bytes([dis.opmap["NOP"], 0]) * delta + code.co_code


def created(count):
    generator = random.Random(7)
    plain = loop.__code__.co_code
    jump = dis.opmap["JUMP_BACKWARD"]
    extended = dis.opmap["EXTENDED_ARG"]
    numbers = [
        number
        for name, number in dis.opmap.items()
        if number < 237 and name not in ("ENTER_EXECUTOR", "CACHE", "RESERVED") and "INSTRUMENTED" not in name
    ]
    made = 0
    for i in range(count):
        kind = i % 6
        if kind == 0:
            # Not those that the interpreter puts into code, which it believes in.
            pairs = [(generator.choice(numbers), generator.randrange(256)) for _ in range(generator.randrange(1, 60))]
            code = bytes(byte for pair in pairs for byte in pair)
        elif kind == 1:
            code = plain[: 2 * generator.randrange(1, len(plain) // 2)]
        elif kind == 2:
            at = 2 * generator.randrange(len(plain) // 2)
            code = plain[:at] + bytes([jump, generator.randrange(256)]) + plain[at + 2:]
        elif kind == 3:
            code = plain + bytes([extended, 255, extended, 255, extended, 255, extended, 255, jump, 255])
        elif kind == 4:
            code = plain + bytes([jump, generator.randrange(256)])
        else:
            at = 2 * generator.randrange(len(plain) // 2)
            code = plain[:at] + plain[at + 2:]
        # The interpreter itself writes behind code whose last instruction lacks its caches.
        code += bytes([dis.opmap["NOP"], 0]) * 16
        changed = loop.__code__.replace(
            co_code=code,
            co_stacksize=generator.choice((0, 1, 3, 100)),
            co_exceptiontable=bytes(generator.randrange(256) for _ in range(generator.randrange(8))),
        )
        made += len(changed.co_code) == len(code)
        function = types.FunctionType(changed, globals())
        holder = loop.__code__.replace(co_consts=(changed, function.__code__, 0, 7, 3, 1))
        made += len(holder.co_consts) > 3
    return made


def run(code, *arguments):
    return types.FunctionType(code, globals())(*arguments)


def run_again_and_again(code):
    return [run(code, n) for n in (30, 1, 0, 60)]


def tails():
    """Any opcode behind the end, without its caches; but the interpreter itself fails on those of instrumented code."""
    results = set()
    for number in range(236):
        for argument in (0, 1, 255):
            changed = loop.__code__.replace(co_code=loop.__code__.co_code + bytes([number, argument]))
            results.add(run(changed, 30))
    return results


code = loop.__code__
print(created(600))
print(tails())
print(run_again_and_again(code))
print(run_again_and_again(code.replace(co_stacksize=code.co_stacksize + 50)))
# Too small, but the interpreter's stack has room behind the last frame.
print(run_again_and_again(code.replace(co_stacksize=0)))
print(run_again_and_again(code.replace(co_flags=code.co_flags | 0x20000000)))
print(run_again_and_again(code.replace(co_linetable=b"")))
print(run_again_and_again(code.replace(co_code=shifted(code, 3))))
print(run_again_and_again(code.replace(co_code=code.co_code + bytes([dis.opmap["JUMP_BACKWARD"], 255]))))
print(run_again_and_again(code.replace(co_code=code.co_code + bytes([dis.opmap["EXTENDED_ARG"], 1]))))
print(run_again_and_again(code.replace(co_name="\udc80", co_qualname="x\0y", co_filename="\udcff")))
