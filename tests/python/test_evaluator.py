"""Somebody else runs the frames (PEP 523): each call of a Python function has to come to them."""

try:
    import _testinternalcapi
except ImportError:
    # An interpreter without its tests' helpers: nothing can be set.
    _testinternalcapi = None


class Box:
    def __getitem__(self, key):
        return key


def double(x):
    return 2 * x


def loop(turns):
    box, total = Box(), 0
    for turn in range(turns):
        total += double(box[turn])
    return total


def set_inside(turns, at, calls):
    for turn in range(turns):
        if turn == at:
            _testinternalcapi.set_eval_frame_record(calls)
        double(turn)


class Number:
    def __init__(self, value):
        self.value = value

    def get(self):
        return self.value


def set_by_callback(turns, at, calls):
    """C code calls Python code, which sets it, between calls that are followed inside."""

    def key(turn):
        if turn == at:
            _testinternalcapi.set_eval_frame_record(calls)
        return turn

    box, total = Box(), 0
    for turn in range(turns):
        total += double(turn)
        max((turn,), key=key)
        total += Number(turn).get() + box[turn]
    return total


for _ in range(3):
    print(loop(3000))

if _testinternalcapi is None:
    print("no helpers")
else:
    calls = []
    _testinternalcapi.set_eval_frame_record(calls)
    try:
        total = loop(50)
    finally:
        _testinternalcapi.set_eval_frame_default()
    print(total, len(calls), calls[:3], calls[-3:])

    calls = []
    for _ in range(4):
        set_inside(1500, -1, calls)
    try:
        set_inside(100, 60, calls)
    finally:
        _testinternalcapi.set_eval_frame_default()
    print(len(calls), calls[:3], calls[-3:])

    for _ in range(4):
        set_by_callback(1500, -1, None)
    calls = []
    try:
        total = set_by_callback(1500, 1200, calls)
    finally:
        _testinternalcapi.set_eval_frame_default()
    print(total, len(calls), calls[:5], calls[-5:])
    print(loop(3000))
