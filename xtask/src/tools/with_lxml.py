"""lxml: elements made and dropped in hot loops, proxies, callbacks from XPath and from a parser target."""

import io

from lxml import etree


def build(n):
    root = etree.Element("root")
    for i in range(n):
        item = etree.SubElement(root, "item", number=str(i))
        item.text = "text %d" % i
        if i % 3 == 0:
            etree.SubElement(item, "third")
    return root


def walk(root):
    total = 0
    for element in root.iter():
        total += len(element.attrib) + len(element)
        for name, value in element.items():
            total += int(value)
    return total


def drop(root):
    for element in list(root):
        if int(element.get("number")) % 2:
            root.remove(element)
    return len(root)


def parse(text):
    total = 0
    for event, element in etree.iterparse(io.BytesIO(text), events=("start", "end")):
        total += 1
        if event == "end":
            total += len(element.text or "")
            element.clear()
    return total


class Target:
    def __init__(self):
        self.events = 0

    def start(self, tag, attrib):
        for k in range(3):
            self.events += k

    def end(self, tag):
        self.events += 1

    def data(self, data):
        self.events += len(data)

    def close(self):
        return self.events


def extension(context, values):
    total = 0
    for value in values:
        total += int(value)
    return float(total)


root = build(150)
text = etree.tostring(root)
print(len(text), walk(root), parse(text))
print(etree.fromstring(text, etree.XMLParser(target=Target())))
functions = etree.FunctionNamespace(None)
functions["total"] = extension
print(root.xpath("total(item/@number)"), drop(root), walk(root))
