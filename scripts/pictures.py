"""Draws what tmux captured of a terminal as SVG: one screen, or a recording of two side by side.

scripts/pictures.sh calls it. Every run of text is put where its first cell is and told how wide it has to be, so that
no font moves what follows. Lines and blocks are drawn as shapes, since fonts disagree on how they meet.
"""

import argparse
import html
import itertools
import sys
from pathlib import Path
from typing import NamedTuple

from captured import Screen

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE = 8.43, 18, 14
BASELINE = 13.5
FONTS = "'DejaVu Sans Mono','Cascadia Mono',Menlo,Consolas,'Liberation Mono',monospace"
# Around the cells; the upper edge of a window has its title.
PADDING, TITLE_HEIGHT, GAP, CAPTION_HEIGHT = 12, 30, 16, 40
TOP = TITLE_HEIGHT + PADDING // 2


class Look(NamedTuple):
    """What a terminal looks like."""

    back: str
    text: str
    bar: str
    edge: str
    quiet: str
    sixteen: tuple


DARK = Look(
    "#101318", "#d8dce3", "#1d222a", "#323a46", "#98a2b3",
    ("#20242c", "#e5534b", "#57ab5a", "#c69026", "#539bf5", "#b083f0", "#39c5cf", "#c8ced8",
     "#768390", "#ff938a", "#6bc46d", "#daaa3f", "#6cb6ff", "#dcbdfb", "#56d4dd", "#ffffff"),
)
LIGHT = Look(
    "#ffffff", "#1f2328", "#eef0f3", "#c9ced6", "#59636e",
    ("#24292f", "#cf222e", "#116329", "#7d4e00", "#0969da", "#8250df", "#1b7c83", "#6e7781",
     "#57606a", "#a40e26", "#1a7f37", "#633c01", "#218bff", "#a475f9", "#3192aa", "#8c959f"),
)


# ---- as shapes ----


def escape(value):
    """A text between tags."""
    return html.escape(value, quote=False)


def number(value):
    """A coordinate with no more digits than it needs."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def colour(value, look):
    """A colour of the palette as SVG knows it."""
    if isinstance(value, str):
        return value
    if value < 16:
        return look.sixteen[value]
    if value >= 232:
        return "#%02x%02x%02x" % ((8 + 10 * (value - 232),) * 3)
    value -= 16
    return "#%02x%02x%02x" % tuple(55 + 40 * step if step else 0 for step in (value // 36, value // 6 % 6, value % 6))


def colours(style, look):
    """The two colours of a cell; the second is None where the terminal's own shows through."""
    fore = look.text if style.fore is None else colour(style.fore, look)
    back = None if style.back is None else colour(style.back, look)
    return (back or look.back, fore) if style.reverse else (fore, back)


# Where a line goes from the middle of its cell; capital letters are heavy lines.
ARMS = dict(zip(
    "─│┌┐└┘├┤┬┴┼╴╵╶╷━┃┏┓┗┛┣┫┳┻╋╸╹╺╻",
    "lr ud rd ld ru lu udr udl lrd lru lrud l u r d LR UD RD LD RU LU UDR UDL LRD LRU LRUD L U R D".split(),
))
ENDS = {"l": (0, 0.5), "r": (1, 0.5), "u": (0.5, 0), "d": (0.5, 1)}
CURVES = {"╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu"}
# Left, top, width and height in parts of a cell.
BLOCKS = {"█": (0, 0, 1, 1), "▀": (0, 0, 1, 0.5), "▐": (0.5, 0, 0.5, 1), "▕": (0.875, 0, 0.125, 1)}
BLOCKS |= {chr(0x2580 + n): (0, 1 - n / 8, 1, n / 8) for n in range(1, 8)}
BLOCKS |= {chr(0x2590 - n): (0, 0, n / 8, 1) for n in range(1, 8)}


def shape(cell, fill):
    """A line or block as a path, or None if the cell is text."""
    if cell.text in BLOCKS:
        left, top, width, height = BLOCKS[cell.text]
        return f'<rect x="{number((cell.column + left) * CELL_WIDTH)}" y="{number(top * CELL_HEIGHT)}" ' \
            f'width="{number(width * CELL_WIDTH)}" height="{number(height * CELL_HEIGHT)}" fill="{fill}"/>'

    def at(x, y):
        return f"{number((cell.column + x) * CELL_WIDTH)} {number(y * CELL_HEIGHT)}"

    if cell.text in CURVES:
        one, other = (ENDS[arm] for arm in CURVES[cell.text])
        path, is_heavy = f"M{at(*one)}Q{at(0.5, 0.5)} {at(*other)}", False
    elif cell.text in ARMS:
        arms = ARMS[cell.text]
        path, is_heavy = "".join(f"M{at(0.5, 0.5)}L{at(*ENDS[arm.lower()])}" for arm in arms), arms.isupper()
    else:
        return None
    return f'<path d="{path}" stroke="{fill}" stroke-width="{2.4 if is_heavy else 1.2}" fill="none"/>'


def line(cells, fill):
    """A run of ─ as one path."""
    start, end = cells[0].column * CELL_WIDTH, (cells[-1].column + 1) * CELL_WIDTH
    return f'<path d="M{number(start)} {CELL_HEIGHT // 2}H{number(end)}" stroke="{fill}" stroke-width="1.2"/>'


def runs(cells):
    """The cells in runs that can be drawn as one piece: of one style, and either of ─ or of plain narrow text."""
    run = []
    for cell in cells:
        joins = run and run[-1].style == cell.style and (
            cell.text == run[-1].text == "─"
            or cell.text.isascii() and run[-1].text.isascii()
            # Columns of text stand apart, unless a line under them goes on between them.
            and not (cell.text == run[-1].text == " " and not cell.style.underline)
        )
        if run and not joins:
            yield run
            run = []
        run.append(cell)
    if run:
        yield run


def text(cells, fill):
    """A run of cells as text."""
    style = cells[0].style
    if not (style.underline or style.strike):
        while cells and cells[-1].text == " ":
            cells = cells[:-1]
        while cells and cells[0].text == " ":
            cells = cells[1:]
        if not cells:
            return ""
    first, last = cells[0], cells[-1]
    width = (last.column + last.width - first.column) * CELL_WIDTH
    if first.width == 2:
        # A wide character of a font that makes it narrower stands in the middle.
        place = f'x="{number(first.column * CELL_WIDTH + width / 2)}" text-anchor="middle"'
    elif len(cells) == 1:
        place = f'x="{number(first.column * CELL_WIDTH)}"'
    else:
        place = f'x="{number(first.column * CELL_WIDTH)}" textLength="{number(width)}" lengthAdjust="spacingAndGlyphs"'
    marks = "".join([
        ' font-weight="bold"' if style.bold else "",
        ' font-style="italic"' if style.italic else "",
        ' opacity=".6"' if style.dim else "",
        ' text-decoration="underline"' if style.underline else "",
        ' text-decoration="line-through"' if style.strike and not style.underline else "",
    ])
    return f'<text {place} y="{BASELINE}" fill="{fill}"{marks}>{escape("".join(cell.text for cell in cells))}</text>'


def draw_row(cells, look):
    """A row, at the place of the first."""
    return "".join([*draw_backs(cells, look), *draw_fronts(cells, look)])


def draw_backs(cells, look):
    """What is behind the text, in pieces of one colour: between two there would be a seam."""
    by_colour = itertools.groupby(cells, lambda cell: colours(cell.style, look)[1])
    for fill, piece in by_colour:
        if fill:
            first, *rest = piece
            last = rest[-1] if rest else first
            start, end = first.column * CELL_WIDTH, (last.column + last.width) * CELL_WIDTH
            yield f'<rect x="{number(start)}" width="{number(end - start)}" height="{CELL_HEIGHT}" fill="{fill}"/>'


def draw_fronts(cells, look):
    """The text of a row, and its lines."""
    for run in runs(cells):
        fill = colours(run[0].style, look)[0]
        if run[0].text == "─":
            yield line(run, fill)
        else:
            yield (len(run) == 1 and shape(run[0], fill)) or text(run, fill)


def draw_cursor(screen, look):
    """A block that lets the character through."""
    if not screen.cursor:
        return ""
    x, y = screen.cursor
    return f'<rect x="{number(x * CELL_WIDTH)}" y="{y * CELL_HEIGHT}" width="{number(CELL_WIDTH)}" ' \
        f'height="{CELL_HEIGHT}" fill="{look.text}" opacity=".55"/>'


def window_size(screen):
    """The width and height of a window with this screen in it."""
    return screen.width * CELL_WIDTH + 2 * PADDING, screen.height * CELL_HEIGHT + TOP + PADDING


def window(screen, title, look):
    """An empty window."""
    width, height = window_size(screen)
    whole = f'x=".5" y=".5" width="{number(width)}" height="{number(height)}" rx="9"'
    # Below the title, square above and round below.
    inside = f"M.5 {TITLE_HEIGHT}h{number(width)}v{number(height - TITLE_HEIGHT - 9)}" \
        f"a9 9 0 0 1-9 9h{number(18 - width)}a9 9 0 0 1-9-9z"
    dots = "".join(f'<circle cx="{x}" cy="{TITLE_HEIGHT // 2}" r="4.5" fill="{look.edge}"/>' for x in (18, 34, 50))
    return (
        f'<rect {whole} fill="{look.bar}"/><path d="{inside}" fill="{look.back}"/>'
        f'<rect {whole} fill="none" stroke="{look.edge}"/>{dots}'
        f'<text x="{number(width / 2)}" y="{TITLE_HEIGHT / 2 + 4.5}" font-size="13" text-anchor="middle" '
        f'fill="{look.quiet}">{escape(title)}</text>'
    )


def document(width, height, title, body, style=""):
    """All of it as a file."""
    width, height = number(width + 1), number(height + 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" font-family="{FONTS}" font-size="{FONT_SIZE}" xml:space="preserve">'
        f"<title>{escape(title)}</title>{style}{body}</svg>\n"
    )


def draw_screen(name, title, look):
    """A picture of one screen."""
    screen = Screen(name)
    rows = "\n".join(
        f'<g transform="translate(0 {y * CELL_HEIGHT})">{draw_row(cells, look)}</g>'
        for y, cells in enumerate(screen.rows)
        if any(cell.text != " " or colours(cell.style, look)[1] for cell in cells)
    )
    inside = f'<g transform="translate({PADDING} {TOP})">{rows}{draw_cursor(screen, look)}</g>'
    body = f"{window(screen, title, look)}\n{inside}"
    return document(*window_size(screen), title, body)


# ---- one after the other ----


class Rows:
    """Each row that occurs, once: most of a screen stays as it was from one frame to the next."""

    def __init__(self, look):
        self.look = look
        self.ids = {}

    def use(self, cells, y):
        drawn = draw_row(cells, self.look)
        if not drawn:
            return ""
        id = self.ids.setdefault(drawn, f"r{len(self.ids)}")
        return f'<use href="#{id}" y="{y * CELL_HEIGHT}"/>'

    def definitions(self):
        return "<defs>" + "\n".join(f'<g id="{id}">{drawn}</g>' for drawn, id in self.ids.items()) + "</defs>"


def switching(seconds, still):
    """The style that shows one frame after the other, and only the still one where motion is not wanted."""
    total, at, rules, moving = sum(seconds), 0.0, [], []
    for n, duration in enumerate(seconds):
        start, end = (number(100 * edge / total) for edge in (at, at + duration))
        shown = "0%{visibility:visible}" if n == 0 else "0%{visibility:hidden}" + start + "%{visibility:visible}"
        hidden = "" if n == len(seconds) - 1 else end + "%{visibility:hidden}"
        rules.append(f"@keyframes k{n}{{{shown}{hidden}}}")
        moving.append(f"#f{n}{{animation:k{n} {number(total)}s step-end infinite}}")
        at += duration
    return (
        "<style>.f{visibility:hidden}#f" + str(still) + "{visibility:visible}\n" + "\n".join(rules)
        + "\n@media (prefers-reduced-motion:no-preference){\n" + "\n".join(moving) + "\n}</style>"
    )


def draw_recording(listing, title, still, look):
    """A recording of two people, from a list of frames: seconds, name and caption, with tabs between them."""
    frames = [entry.split("\t") for entry in Path(listing).read_text(encoding="utf-8").splitlines()]
    folder, rows, body = Path(listing).parent, Rows(look), []
    for n, (_, name, caption) in enumerate(frames):
        screens = [Screen(folder / f"{name}-{person}") for person in ("ada", "bob")]
        width, height = window_size(screens[0])
        if n == 0:
            total_width, total_height = 2 * width + GAP, height + CAPTION_HEIGHT
            windows = [window(screens[0], "ada", look), window(screens[1], "bob", look)]
            body += [f'{windows[0]}<g transform="translate({number(width + GAP)})">{windows[1]}</g>']
        sides = [
            "".join(rows.use(cells, y) for y, cells in enumerate(screen.rows)) + draw_cursor(screen, look)
            for screen in screens
        ]
        body.append(
            f'<g class="f" id="f{n}"><g transform="translate({PADDING} {TOP})">{sides[0]}'
            f'<g transform="translate({number(width + GAP)})">{sides[1]}</g></g>'
            f'<text x="{number(total_width / 2)}" y="{number(total_height - 12)}" font-size="16" text-anchor="middle" '
            f'fill="#7d8590">{escape(caption)}</text></g>'
        )
    style = switching([float(seconds) for seconds, _, _ in frames], still)
    return document(total_width, total_height, title, rows.definitions() + "\n".join(body), style)


def main():
    parser = argparse.ArgumentParser(description="Draws what tmux captured as SVG, to stdout.")
    parser.add_argument("kind", choices=["screen", "recording"])
    parser.add_argument("source", help="the name of a frame, or the list of a recording's frames")
    parser.add_argument("title")
    parser.add_argument("--light", action="store_true", help="on white")
    parser.add_argument("--still", type=int, default=0, help="the frame that is shown where nothing moves")
    arguments = parser.parse_args()
    look = LIGHT if arguments.light else DARK
    if arguments.kind == "screen":
        sys.stdout.write(draw_screen(arguments.source, arguments.title, look))
    else:
        sys.stdout.write(draw_recording(arguments.source, arguments.title, arguments.still, look))


if __name__ == "__main__":
    main()
