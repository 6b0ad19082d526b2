"""The Python half of `cargo xtask fuzz`.

    run.py batch FIRST COUNT            compares programs FIRST, ...; says what it is at and what differs, a line of JSON each
    run.py corpus FOLDER AFTER          compares the programs in a folder whose names come after AFTER
    run.py show SEED                    prints a program
    run.py check SETTINGS FILE          compares one file; exit code 1 if it differs
    run.py reduce SETTINGS FILE         prints the smallest program found that still fails like this file

It is run with Serigraph, which it switches on and off itself.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

# With these the programs of the corpus are compared, apart from their own settings.
ALWAYS = ("threshold=1", "threshold=2", "threshold=16")


def say(kind, **fields):
    os.write(1, (json.dumps({"kind": kind, **fields}) + "\n").encode())


def compare_all(programs):
    """`programs` gives names, texts and lists of settings."""
    import warnings

    import compare

    warnings.simplefilter("ignore")
    compare.ready()
    for name, source, settings in programs:
        say("at", program=name, settings="off")
        try:
            code = compare.prepared(source)
        except SyntaxError as error:
            say("different", program=name, settings="off", text="a fault of the generator: %s" % error)
            continue
        expected = compare.baseline(code)
        if expected is None:
            continue
        for text in settings:
            say("at", program=name, settings=text)
            found = compare.checked(code, expected, compare.settings(text))
            if found:
                say("different", program=name, settings=text, text=found)
                break
    say("done")
    # The interpreter's own end is not what is compared.
    os._exit(0)


def generated(first, count):
    from generate.program import program

    import compare

    for seed in range(first, first + count):
        yield str(seed), program(seed), compare.drawn(seed)


def corpus(folder, after):
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py") and name > after:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                source = file.read()
            own = source.partition("\n")[0].removeprefix("# settings: ")
            yield name, source, [own] + [text for text in ALWAYS if text != own]


def check(settings, path):
    import compare

    compare.ready()
    with open(path, encoding="utf-8") as file:
        code = compare.prepared(file.read())
    expected = compare.baseline(code)
    if expected is None:
        sys.exit("it takes too long")
    found = compare.checked(code, expected, compare.settings(settings))
    print(found or "same")
    sys.stdout.flush()
    os._exit(1 if found else 0)


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "batch":
        compare_all(generated(int(arguments[0]), int(arguments[1])))
    elif command == "corpus":
        compare_all(corpus(*arguments))
    elif command == "show":
        from generate.program import program

        print(program(int(arguments[0])), end="")
    elif command == "check":
        check(*arguments)
    elif command == "reduce":
        import reduce

        reduce.main(*arguments)


main()
