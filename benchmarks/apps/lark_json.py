# requires: lark==1.3.1
"""lark parses JSON with a grammar: LALR and Earley."""

import json

from lark import Lark, Transformer

GRAMMAR = r"""
?value: object | array | string | SIGNED_NUMBER -> number | "true" -> true | "false" -> false | "null" -> null
array  : "[" [value ("," value)*] "]"
object : "{" [pair ("," pair)*] "}"
pair   : string ":" value
string : ESCAPED_STRING
%import common.ESCAPED_STRING
%import common.SIGNED_NUMBER
%import common.WS
%ignore WS
"""


class ToPython(Transformer):
    array = list
    pair = tuple
    number = lambda self, found: float(found[0])
    string = lambda self, found: found[0][1:-1]
    object = lambda self, found: dict(found)
    true = lambda self, found: True
    false = lambda self, found: False
    null = lambda self, found: None


DATA = {"rows": [{"id": i, "name": "row %d" % i, "tags": ["a", "b"], "ok": i % 2 == 0} for i in range(60)]}
TEXT = json.dumps(DATA)
SHORT = json.dumps(DATA["rows"][:6])
LALR = Lark(GRAMMAR, start="value", parser="lalr", transformer=ToPython())
EARLEY = Lark(GRAMMAR, start="value", parser="earley")


def main():
    whole = LALR.parse(TEXT)
    short = ToPython().transform(EARLEY.parse(SHORT))
    return whole == DATA, short == DATA["rows"][:6], sum(row["id"] for row in whole["rows"])


if __name__ == "__main__":
    print(main())
