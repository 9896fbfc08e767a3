"""An HTML page taken apart, for tests of files that must stand alone. Import as `html_page`."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Reads a page and checks on the way that every element is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.attributes, self.elements = [], [], [], []
        self.text = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def assert_stands_alone(html):
    """The page asks for nothing from anywhere, runs nothing, and styles nothing by attribute."""
    page = Page(html)
    assert not re.search(r"https?:|//\w|@import|url\((?!#)|javascript:", html)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.elements)
    names = {name for _, name, _ in page.attributes}
    assert not {"src", "srcset", "style", "xlink:href"} & names
    assert not [name for name in names if name.startswith("on")]
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
