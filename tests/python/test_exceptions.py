"""Exceptions raised inside hot loops: handlers, finally, tracebacks with the right lines."""

import sys
import traceback


def lines(error):
    """Function, line relative to the function, and source text, of each traceback entry."""
    out = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        out.append((code.co_name, line - code.co_firstlineno))
    return type(error).__name__, str(error), out


def positions(error):
    """Columns of each traceback entry, from the instruction at which it was raised."""
    out = []
    tb = error.__traceback__
    while tb is not None:
        code = tb.tb_frame.f_code
        table = list(code.co_positions())
        line, end, column, end_column = table[tb.tb_lasti // 2]
        out.append((code.co_name, line - code.co_firstlineno, end - code.co_firstlineno, column, end_column))
        tb = tb.tb_next
    return out


def divide(i, n):
    return 100 // (n - i)


def at_the_end(n):
    total = 0
    for i in range(n + 1):
        total += i
        total += divide(i, n)
    return total


def in_expression(n):
    items = list(range(n))
    total = 0
    for i in range(n + 5):
        total = (total +
                 items[i] *
                 2)
    return total


def in_condition(n):
    i = 0
    while 100 / (n - i) > 0:
        i += 1
    return i


def wrong_type(n):
    total = 0
    values = [1] * n + ["a"]
    for value in values:
        total = total + value
    return total


def unbound(n):
    for i in range(n):
        if i == n - 1:
            del i
        j = i
    return j


def missing_name(n):
    total = 0
    for i in range(n):
        total += i if i < n - 1 else there_is_no_such_name
    return total


def unpack(n):
    total = 0
    for i in range(n):
        a, b = (i, 1) if i < n - 2 else (i, 1, 2)
        total += a + b
    return total


def attribute(n):
    values = [complex(i, 1) for i in range(n)] + [5, None]
    total = 0
    for value in values:
        total += value.imag
    return total


def overflow(n):
    x = 2.0
    for i in range(n):
        x = x ** 2
    return x


def raises(n):
    for i in range(n):
        if i == n - 1:
            raise LookupError(i, "here")


def asserts(n):
    for i in range(n):
        assert i < n - 1, ("too far", i)


def iterates(n):
    def source():
        for i in range(n):
            yield i
        raise OSError("source is dry")

    total = 0
    for x in source():
        total += x
    return total


def handled(n):
    """Raised and caught at every third round, in the frame itself."""
    caught = 0
    total = 0
    for i in range(n):
        try:
            if i % 3 == 0:
                total += 1 // 0
            total += i
        except ZeroDivisionError as error:
            caught += 1
            last = error
        else:
            total += 1
        finally:
            total += 2
    return caught, total, lines(last), positions(last)


def handled_in_callee(n):
    def risky(i):
        if i % 5 == 4:
            raise ValueError(i)
        return i

    def careful(i):
        try:
            return risky(i)
        except ValueError as error:
            return -error.args[0]

    total = 0
    seen = []
    for i in range(n):
        total += careful(i)
        try:
            risky(i)
        except ValueError as error:
            seen.append(len(lines(error)[2]))
    return total, seen[-1], len(seen)


def nested_handlers(n):
    log = []
    for i in range(n):
        try:
            try:
                try:
                    [][i]
                finally:
                    log.append("inner")
            except KeyError:
                log.append("wrong")
        except IndexError as error:
            if i % 2:
                log.append("outer")
            else:
                log.append(error.__context__ is None)
        if i % 7 == 6:
            try:
                try:
                    int("x")
                except ValueError:
                    {}["y"]
            except KeyError as error:
                log.append(repr(error.__context__))
    return len(log), log[-12:]


def loop_in_handler(n):
    total = 0
    for k in range(3):
        try:
            total += 1 // 0
        except ZeroDivisionError:
            for i in range(n):
                total += i
                if sys.exc_info()[0] is not ZeroDivisionError:
                    total = -1
        for i in range(n):
            if sys.exc_info()[0] is not None:
                total = -2
    return total


def exc_info(n):
    seen = set()
    for i in range(n):
        try:
            raise KeyError(i)
        except KeyError:
            seen.add(sys.exc_info()[0].__name__)
            for j in range(5):
                seen.add(type(sys.exception()).__name__)
        seen.add(sys.exc_info())
    return sorted(map(str, seen))


def with_statement(n):
    log = []

    class Manager:
        def __enter__(self):
            log.append("in")
            return self

        def __exit__(self, kind, value, tb):
            log.append(kind and kind.__name__)
            return kind is ValueError

    for i in range(n):
        with Manager():
            if i % 4 == 3:
                raise ValueError
        if i % 10 == 9:
            try:
                with Manager() as m, Manager():
                    raise KeyError
            except KeyError:
                log.append("out")
    return len(log), log[-10:]


def return_in_finally(n):
    def f(i):
        try:
            return 10 // (i % 4)
        except ZeroDivisionError:
            return -1
        finally:
            if i % 6 == 5:
                return 1000

    total = 0
    for i in range(n):
        total += f(i)
    return total


def break_in_finally(n):
    count = 0
    for i in range(n):
        for j in range(10):
            try:
                if j == i % 10:
                    break
                count += 1
            finally:
                count += 10
                if j == 7:
                    continue
    return count


def deep(n, depth):
    """An exception that goes through several inlined frames."""

    def level(i, k):
        if k == 0:
            return 1 // (n - 1 - i)
        return level(i, k - 1) + 1

    total = 0
    for i in range(n):
        total += level(i, depth)
    return total


def every_position(n):
    """One operation of a long loop body fails, each in turn."""
    results = []

    class Bad:
        pass

    for at in range(12):
        values = [1] * 12
        log = 0
        try:
            for i in range(n):
                if i == n - 2:
                    values[at] = Bad()
                log += values[0] + 1
                log -= values[1] - 1
                log += values[2] * 2
                log ^= values[3] & 3
                log += values[4] // 1
                log += -values[5]
                log += ~values[6]
                log += [1, 2, 3][values[7]]
                log += values[8] < 2
                log += values[9] << 1
                log += abs(values[10])
                log += 1 if values[11] >= 1 else 0
        except TypeError as error:
            results.append((at, i, log, lines(error), positions(error)))
    return results


def in_place_of_wrong_type(n):
    """The text says `^=`, also where both operands are numbers."""
    total = 10**20
    for i in range(n):
        total = total + 1
    for i in range(n):
        total ^= 5 if i < n - 2 else -0.5
    return total


def nested_division(n):
    """The inner loop needs no quotient, but each time it is entered the divisor is another."""
    for i in range(-n, 2):
        for k in range(5):
            zero = 0 * (179 // (i + 1)) % 2**60
    return zero


for function in (in_place_of_wrong_type, nested_division):
    try:
        print(function.__name__, function(60))
    except (TypeError, ZeroDivisionError) as error:
        print(function.__name__, error, lines(error), positions(error))
for function in (at_the_end, in_expression, in_condition, wrong_type, unbound, missing_name, unpack,
                 attribute, overflow, raises, asserts, iterates):
    try:
        print(function.__name__, function(60))
    except Exception as error:
        print(function.__name__, lines(error), positions(error))
for function in (handled, handled_in_callee, nested_handlers, loop_in_handler, exc_info, with_statement,
                 return_in_finally, break_in_finally):
    print(function.__name__, function(90))
try:
    deep(60, 4)
except ZeroDivisionError as error:
    print("deep", lines(error), positions(error))
for row in every_position(40):
    print(row)
# Ends with a traceback on stderr, from inside a call in a loop at module level.
for number in range(70):
    divide(number, 66)
