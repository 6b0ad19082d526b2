"""A signal that is pending while a loop is recorded: its handler runs in the program's frames, so that what it raises arrives."""

import signal

ONE, OTHER = (letter + "x" * 20_000_000 for letter in "aa")
places = set()


def ring(number, frame):
    places.add(frame.f_code.co_filename == __file__)


def called(i):
    return i + 1


def loop(n):
    total = 0
    for i in range(n):
        # About where Serigraph records as it is shipped, so that what it looks up for its first call is looked up here.
        is_long = 1020 < i < 1030
        if is_long:
            # Long enough for the signal to come, in what looks for it neither in the interpreter nor while it is recorded.
            total += ONE == OTHER
        total += called(i)
        if is_long:
            signal.setitimer(signal.ITIMER_REAL, 5e-4)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return total


signal.signal(signal.SIGALRM, ring)
print(loop(1031), places)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
