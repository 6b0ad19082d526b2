"""Serigraph switched off and on again in the middle of loops (without it, nothing is switched)."""

import sys

serigraph = sys.modules.get("serigraph")


def switch(on):
    if serigraph is not None:
        if on:
            serigraph.enable()
        else:
            serigraph.disable()


def off_in_loop(n):
    total = 0
    for i in range(n):
        total += i
        if i == n // 2:
            switch(False)
    for i in range(n):
        total += i
    switch(True)
    return total


def on_in_loop(n):
    switch(False)
    total = 0
    for i in range(n):
        total += i * 2
        if i == 5:
            switch(True)
    return total


def often(n):
    total = 0
    for i in range(n):
        if i % 50 == 0:
            switch(False)
        if i % 50 == 25:
            switch(True)
        for j in range(5):
            total += i * j
    switch(True)
    return total


def in_callee(n):
    def helper(i):
        if i == n // 2:
            switch(False)
        return i + 1

    total = 0
    for i in range(n):
        total += helper(i)
    switch(True)
    return total


def in_generator(n):
    def source():
        for i in range(n):
            if i == n // 2:
                switch(False)
            yield i
        switch(True)

    total = 0
    for i in source():
        total += i
    return total


def recursive(depth):
    total = 0
    for i in range(10):
        total += i
        if depth and i == 5:
            total += recursive(depth - 1)
        if depth == 3 and i == 7:
            switch(False)
    return total


# Longer than the shipped threshold, with which Serigraph is switched on again.
print(off_in_loop(5000), on_in_loop(3000), often(400), in_callee(5000), in_generator(5000))
print(recursive(8))
switch(True)
total = 0
for number in range(5000):
    total += number
    if number == 2500:
        switch(False)
print(total)
switch(True)
print(off_in_loop(5000), often(100), on_in_loop(3000))
