# SPDX-License-Identifier: MIT
"""A C file as tokens, and what of it belongs to which function."""
import bisect
import re
from dataclasses import dataclass

TOKEN = re.compile(r"""
    (?P<blank>\s+|/\*.*?\*/|//[^\n]*)
  | (?P<directive>^[ \t]*\#(?:[^\n\\]|\\.)*)
  | (?P<text>"(?:[^"\\]|\\.)*")
  | (?P<letter>'(?:[^'\\]|\\.)*')
  | (?P<number>(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|[<>=!]=|&&|\|\||[-+*/%&|^]=|.)
    """, re.X | re.S | re.M)
OPEN, CLOSE = "([{", ")]}"


@dataclass
class Token:
    kind: str
    text: str
    start: int
    end: int
    mate: int = -1  # the index of the bracket that closes or opens this one
    place: str = ""  # the function, or the table outside of one, that it belongs to


class Source:
    def __init__(self, name):
        self.name = name
        with open(name, encoding="utf-8") as file:
            self.text = file.read()
        self.starts = [0] + [found.end() for found in re.finditer("\n", self.text)]
        self.tokens = [Token(found.lastgroup, found.group(), found.start(), found.end())
                       for found in TOKEN.finditer(self.text)
                       if found.lastgroup not in ("blank", "directive")]
        self.pair_brackets()
        self.name_places()

    def pair_brackets(self):
        opened = []
        for index, token in enumerate(self.tokens):
            if token.kind != "sign":
                continue
            if token.text in OPEN:
                opened.append(index)
            elif token.text in CLOSE:
                token.mate = opened.pop()
                self.tokens[token.mate].mate = index

    def name_places(self):
        """Gives each token in the braces of a function, or of an initialiser, that one's name."""
        begin = index = 0
        while index < len(self.tokens):
            token = self.tokens[index]
            if token.text == "{":
                for inside in self.tokens[index + 1:token.mate]:
                    inside.place = self.name_of(begin, index)
                index = token.mate
                begin = index + 1
            elif token.text == ";":
                begin = index + 1
            index += 1

    def name_of(self, begin, brace):
        """What the braces after these tokens are: a type has no name here, its members stay."""
        before = self.tokens[brace - 1]
        if before.text == ")":
            return self.tokens[before.mate - 1].text
        if before.text != "=":
            return ""
        while self.tokens[brace - 2].text == "]":
            brace = self.tokens[brace - 2].mate + 1
        return self.tokens[brace - 2].text if brace - 2 >= begin else ""

    def position(self, offset):
        """(line, column), both from 1."""
        line = bisect.bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def lines(self, start, end):
        """The whole lines that [start, end) touches."""
        first = self.text.rfind("\n", 0, start) + 1
        last = self.text.find("\n", end)
        return first, len(self.text) if last < 0 else last
