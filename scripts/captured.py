"""Reads what tmux captured of a terminal.

A frame NAME is two files: NAME.ansi, as of `tmux capture-pane -e -N -p`, and NAME.place, with the pane's width and
height, the column and row of its cursor, and whether that is shown (1 or 0).
"""

import re
import unicodedata
from typing import NamedTuple


class Style(NamedTuple):
    """How a cell is drawn. A colour is None for the terminal's own, a number of the palette, or "#rrggbb"."""

    fore: int | str | None = None
    back: int | str | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False


class Cell(NamedTuple):
    """A character as people see it, which takes one column or two."""

    column: int
    text: str
    width: int
    style: Style


SWITCHES = {
    1: {"bold": True}, 2: {"dim": True}, 3: {"italic": True}, 4: {"underline": True}, 7: {"reverse": True},
    9: {"strike": True}, 21: {"underline": True}, 22: {"bold": False, "dim": False}, 23: {"italic": False},
    24: {"underline": False}, 27: {"reverse": False}, 29: {"strike": False}, 39: {"fore": None}, 49: {"back": None},
}


def restyle(style, sequence):
    """The style after the numbers of a CSI ... m."""
    # The parts of one number, as of 4:3 or 38:2::1:2:3, are kept apart from those of the next.
    numbers = [[int(part or 0) for part in number.split(":")] for number in sequence.split(";")]
    while numbers:
        number, *parts = numbers.pop(0)
        if number in (38, 48, 58):
            if not parts:
                parts = [each[0] for each in numbers[: 2 if numbers and numbers[0] == [5] else 4]]
                del numbers[: len(parts)]
            colour = parts[-1] if parts[:1] == [5] else "#%02x%02x%02x" % tuple(parts[-3:])
            if number != 58:
                style = style._replace(**{"fore" if number == 38 else "back": colour})
        elif number == 0:
            style = Style()
        elif number == 4 and parts == [0]:
            style = style._replace(underline=False)
        elif number in SWITCHES:
            style = style._replace(**SWITCHES[number])
        else:
            for first, name, offset in (30, "fore", 0), (40, "back", 0), (90, "fore", 8), (100, "back", 8):
                if first <= number < first + 8:
                    style = style._replace(**{name: number - first + offset})
    return style


def clusters(text):
    """The characters of a text as people see them, each with its width in columns."""
    found = []
    for c in text:
        joins = found and (
            unicodedata.category(c) in ("Mn", "Me", "Cf")
            or found[-1].endswith("\u200d")
            or "\U0001f3fb" <= c <= "\U0001f3ff"
            or ("\U0001f1e6" <= c <= "\U0001f1ff" and len(found[-1]) == 1 and "\U0001f1e6" <= found[-1] <= "\U0001f1ff")
        )
        if joins:
            found[-1] += c
        else:
            found.append(c)
    for cluster in found:
        is_wide = unicodedata.east_asian_width(cluster[0]) in "WF" or "\ufe0f" in cluster
        is_flag = len(cluster) == 2 and cluster[0] >= "\U0001f1e6"
        yield cluster, 2 if is_wide or is_flag else 1


def read_rows(text):
    """The cells of each row."""
    rows, style = [], Style()
    for line in text.split("\n"):
        cells, column = [], 0
        # Whatever is not a style (links, character sets) leaves no trace.
        for part in re.split(r"(\x1b\[[0-9;:]*m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x0e\x0f])", line):
            if part.startswith("\x1b["):
                style = restyle(style, part[2:-1])
            elif part and part[0] not in "\x1b\x0e\x0f":
                for cluster, width in clusters(part):
                    cells.append(Cell(column, cluster, width, style))
                    column += width
        rows.append(cells)
    return rows


class Screen:
    """One pane at one moment."""

    def __init__(self, name):
        with open(f"{name}.place", encoding="ascii") as place:
            self.width, self.height, x, y, is_shown = map(int, place.read().split())
        with open(f"{name}.ansi", encoding="utf-8") as ansi:
            rows = read_rows(ansi.read())
        self.rows = (rows + [[]] * self.height)[: self.height]
        self.cursor = (x, y) if is_shown else None
