# SPDX-License-Identifier: MIT
"""The changes that make a mutant of a source. Each is one that somebody could make by mistake."""
from dataclasses import dataclass

from mutants.source import Source

EXCHANGED = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
    "+=": "-=", "-=": "+=", "++": "--", "--": "++", "<<": ">>", ">>": "<<", "|=": "=", "&=": "=",
}
# These may also be unary: only behind an operand they are exchanged.
BINARY = {"+": "-", "-": "+", "&": "|", "|": "&"}
# A weaker assertion is another opinion, no other behaviour.
ASSERTIONS = {"VM_ASSERT", "VM_DEBUG_ASSERT", "vm_assert_no_locks", "static_assert",
              "_Static_assert"}
KEYWORDS = {"if", "else", "for", "while", "do", "switch", "case", "default", "return", "struct",
            "enum", "union", "static", "const", "goto", "sizeof", "typedef", "extern", "unsigned"}


@dataclass
class Mutant:
    source: Source
    start: int
    end: int
    new: str
    what: str  # in words
    number: int = 0  # of those that begin at the same place

    @property
    def line(self):
        return self.source.position(self.start)[0]

    @property
    def name(self):
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}:{self.number}"

    @property
    def text(self):
        """The whole file, changed; its lines keep their numbers."""
        old = self.source.text
        lost = old.count("\n", self.start, self.end) - self.new.count("\n")
        return old[:self.start] + self.new + "\n" * lost + old[self.end:]

    @property
    def function(self):
        """The one around it."""
        return next(token.place for token in self.source.tokens if token.end > self.start)

    @property
    def change(self):
        """The lines before and after, without their layout."""
        text = self.source.text
        first, last = self.source.lines(self.start, self.end)
        after = text[first:self.start] + self.new + text[self.end:last]
        return " ".join(text[first:last].split()), " ".join(after.split())


class Changes:
    """All mutants of one source."""

    def __init__(self, source):
        self.source = source
        self.tokens = source.tokens
        self.found = []
        asserted = self.inside_assertions()
        for index, token in enumerate(self.tokens):
            if token.place and index not in asserted:
                self.change_sign(index, token)
                self.change_value(index, token)
                self.change_condition(index, token)
                self.drop_statement(index, token)
        self.number()

    def inside_assertions(self):
        inside = set()
        for index, token in enumerate(self.tokens[:-1]):
            if token.text in ASSERTIONS and self.tokens[index + 1].text == "(":
                inside.update(range(index, self.tokens[index + 1].mate + 1))
        return inside

    def number(self):
        self.found.sort(key=lambda mutant: mutant.start)
        before = None
        for mutant in self.found:
            same = before is not None and before.start == mutant.start
            mutant.number = before.number + 1 if same else 1
            before = mutant

    def add(self, start, end, new, what=None):
        old = " ".join(self.source.text[start:end].split())
        self.found.append(Mutant(self.source, start, end, new, what or f"{old} becomes {new}"))

    def is_operand(self, index):
        """Whether what ends with this token is a value."""
        token = self.tokens[index]
        return (token.kind in ("number", "name", "letter") and token.text not in KEYWORDS
                or token.text in ")]")

    def change_sign(self, index, token):
        if token.kind != "sign":
            return
        new = EXCHANGED.get(token.text)
        if token.text in BINARY and self.is_operand(index - 1):
            new = BINARY[token.text]
            self.drop_one(index, token)
        if new:
            self.add(token.start, token.end, new)
        if token.text == "!":
            self.add(token.start, token.end, "", "! is dropped")

    def drop_one(self, index, token):
        """A bound that is off by one."""
        one = self.tokens[index + 1]
        if token.text in "+-" and one.text.rstrip("uUlL") == "1":
            self.add(token.start, one.end, "", f"{token.text} {one.text} is dropped")

    def change_value(self, index, token):
        if token.kind == "number":
            self.change_number(token)
        elif token.text in ("true", "false"):
            self.add(token.start, token.end, "false" if token.text == "true" else "true")
        elif token.text.startswith("ERR_"):
            other = "ERR_NO_MEMORY" if token.text != "ERR_NO_MEMORY" else "ERR_INVALID_ARGS"
            self.add(token.start, token.end, other)
        elif token.text == "VM_OK" and self.tokens[index - 1].text == "return":
            self.add(token.start, token.end, "ERR_NO_MEMORY")

    def change_number(self, token):
        digits = token.text.rstrip("uUlL")
        suffix = token.text[len(digits):]
        hexadecimal = digits[:2] in ("0x", "0X")
        value = int(digits, 16 if hexadecimal else 10)
        for new in (value + 1, value - 1):
            if new >= 0:
                self.add(token.start, token.end,
                         (hex(new) if hexadecimal else str(new)) + suffix)

    def change_condition(self, index, token):
        if token.text not in ("if", "while"):
            return
        opened = self.tokens[index + 1]
        closed = self.tokens[opened.mate]
        condition = self.source.text[opened.start:closed.end]
        self.add(opened.start, closed.end, f"(!{condition})", "the condition is negated")

    def drop_statement(self, index, token):
        end = self.end_of_statement(index) if self.begins_statement(index, token) else None
        if end is not None:
            text = " ".join(self.source.text[token.start:self.tokens[end].end].split())
            self.add(token.start, self.tokens[end].end, ";", f"{text} is dropped")

    def begins_statement(self, index, token):
        if token.kind != "name" and token.text not in ("(", "*", "++", "--"):
            return False
        if token.text in KEYWORDS and token.text != "return":
            return False
        before = self.tokens[index - 1]
        if before.text == ")":
            head = self.tokens[before.mate - 1].text
            return head in ("if", "for", "while", "switch", "list_for_each")
        if before.text == ":":
            return self.is_label(index - 1)
        return before.text in ("{", "}", ";", "else", "do") and not self.in_for_head(index)

    def is_label(self, colon):
        """A colon behind `case X` or `default`, not of a conditional expression."""
        return any(token.text in ("case", "default")
                   for token in self.tokens[max(0, colon - 3):colon])

    def in_for_head(self, index):
        """Whether a `;` before it separates the parts of a `for`."""
        for token in self.tokens[index - 1::-1]:
            if token.text == "(" and token.mate > index:
                return True
            if token.text in "{}":
                return False
        return False

    def end_of_statement(self, index):
        """The index of its semicolon; None: it is a declaration, or no simple statement. A value's
        return can't be dropped, as nothing would be returned."""
        first, second = self.tokens[index], self.tokens[index + 1]
        if first.kind == "name" and (second.kind == "name" or first.text == "return"):
            return index + 1 if second.text == ";" else None
        if first.kind == "name" and second.text in ("*", ";", ":"):
            return index + 1 if first.text in ("break", "continue") else None
        while index < len(self.tokens):
            token = self.tokens[index]
            if token.text == ";":
                return index
            if token.text in "{}":
                return None
            index = token.mate + 1 if token.text in OPENED else index + 1
        return None


OPENED = ("(", "[")


def all_mutants(names):
    return [mutant for name in names for mutant in Changes(Source(name)).found]
