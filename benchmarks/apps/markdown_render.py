# requires: mistune==3.1.4 markdown-it-py==4.0.0
"""Two Markdown parsers turn a text into HTML."""

from zlib import crc32

import mistune
from markdown_it import MarkdownIt

PART = """
# Heading {0}

Some *emphasised* and **strong** text with `code`, a [link](http://example.invalid/{0} "title") and an
![image](picture-{0}.png), a line break\\
and <em>HTML</em>.

* one
* two
    1. first {0}
    2. second
* three

> A quotation
> of two lines.

```python
def f{0}(x):
    return x * {0}
```

| a | b |
|---|---|
| {0} | x |
"""
TEXT = "".join(PART.format(i) for i in range(12))


def main():
    first = mistune.html(TEXT)
    second = MarkdownIt("commonmark").enable("table").render(TEXT)
    return [(len(html), crc32(html.encode())) for html in (first, second)]


if __name__ == "__main__":
    print(main())
