"""Run by pytest, which rewrites the assertions."""

import pytest


def work(n):
    total = 0
    for i in range(n):
        total += i
        assert total >= i, "never"
    return total


@pytest.mark.parametrize("n", range(0, 120, 7))
def test_work(n):
    assert work(n) == n * (n - 1) // 2


def test_fails_in_loop():
    seen = []
    for i in range(200):
        seen.append(i * 2)
        assert len(seen) + i != 300 or seen[-1] == 1, {"i": i, "seen": seen[-3:]}


@pytest.fixture
def items(tmp_path):
    for i in range(50):
        (tmp_path / str(i)).write_text(str(i))
    return tmp_path


def test_fixture(items):
    total = 0
    for path in sorted(items.iterdir()):
        total += int(path.read_text())
    assert total == 1225


def test_raises():
    for i in range(100):
        with pytest.raises(ZeroDivisionError):
            i // 0


def test_approx(monkeypatch, capsys):
    for i in range(100):
        assert i * 0.1 == pytest.approx(i / 10)
        print(i)
    assert capsys.readouterr().out.count("\n") == 100
