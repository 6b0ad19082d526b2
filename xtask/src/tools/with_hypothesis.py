"""Hypothesis: strategies of many kinds, composed, filtered and shrunk; its own code is full of decorators and context managers."""

from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

quiet = settings(
    database=None, deadline=None, derandomize=True, max_examples=60, suppress_health_check=list(HealthCheck)
)


@st.composite
def trees(draw, depth=3):
    if depth == 0 or draw(st.booleans()):
        return draw(st.integers(-9, 9))
    return [draw(trees(depth=depth - 1)) for _ in range(draw(st.integers(0, 3)))]


def total(tree):
    return tree if isinstance(tree, int) else sum(map(total, tree))


STRATEGIES = {
    "lists": st.lists(st.integers().map(str).filter(bool), max_size=5),
    "dictionaries": st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False), max_size=4),
    "one of": st.one_of(st.none(), st.booleans(), st.binary(max_size=4), st.tuples(st.integers(0, 9), st.characters())),
    "recursive": st.recursive(st.booleans(), lambda inner: st.lists(inner, max_size=3), max_leaves=6),
    "composite": trees(),
    "flat": st.integers(1, 4).flatmap(lambda n: st.lists(st.just(n), min_size=n, max_size=n)),
    "sampled": st.sampled_from("abc").filter(lambda c: c != "b").map(str.upper),
    "from a pattern": st.from_regex(r"[a-c]{2,4}\d?", fullmatch=True),
}

for name, strategy in STRATEGIES.items():
    seen = []

    @quiet
    @given(strategy)
    def collect(value):
        seen.append(repr(value))

    collect()
    print(name, len(seen), seen[:3], seen[-3:])

shrinking = settings(quiet, phases=[Phase.generate, Phase.shrink])
print(find(st.lists(st.integers()), lambda values: sum(values) >= 100, settings=shrinking))
print(find(trees(), lambda tree: total(tree) > 10, settings=shrinking))
print(find(st.text(), lambda text: len(set(text)) >= 2, settings=shrinking))
