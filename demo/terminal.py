"""What the demo prints, on a terminal with colour and elsewhere without."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable

STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "title": "1;36",
}
WIDTH_ELSEWHERE = 100

# A piece of a line and its style.
Piece = tuple[str, str]


class Terminal:
    """Standard output."""

    def __init__(self) -> None:
        """Find out what it can show."""
        # A terminal that lacks a character gets a question mark, not a traceback.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        self.redraws = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.redraws and not os.environ.get("NO_COLOR")
        self._lines_to_redraw = 0

    @property
    def width(self) -> int:
        """How wide a line may be."""
        return shutil.get_terminal_size().columns if self.redraws else WIDTH_ELSEWHERE

    def paint(self, text: str, style: str) -> str:
        """Text in a style, where there are any."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.colours and style else text

    def line(self, *pieces: Piece) -> None:
        """A line of pieces."""
        print("".join(self.paint(*piece) for piece in pieces).rstrip(), flush=True)

    def title(self, text: str) -> None:
        """The heading of an act."""
        rule = "─" * max(0, min(self.width, WIDTH_ELSEWHERE) - len(text) - 4)
        self.line()
        self.line(("── ", "dim"), (text, "title"), (f" {rule}", "dim"))

    def say(self, text: str) -> None:
        """A line for the reader, set apart from what commands print."""
        self.line()
        self.line((text, "cyan"))

    def command(self, text: str) -> None:
        """A command line, as typed."""
        self.line(("$ ", "dim"), (text, "bold"))

    def redraw(self, lines: Iterable[list[Piece]]) -> None:
        """Draw lines over those that the last call drew."""
        up = f"\x1b[{self._lines_to_redraw}A" if self._lines_to_redraw else ""
        drawn = [f"\x1b[2K{self._fitted(pieces)}\n" for pieces in lines]
        self._lines_to_redraw = len(drawn)
        print(f"{up}\r{''.join(drawn)}\x1b[J", end="", flush=True)

    def keep_drawn(self) -> None:
        """Leave what was drawn: the next call of `redraw` draws below it."""
        self._lines_to_redraw = 0

    def show_cursor(self, visible: bool) -> None:
        """Hide the cursor while lines are redrawn, or it flickers over them."""
        if self.redraws:
            print(f"\x1b[?25{'h' if visible else 'l'}", end="", flush=True)

    def _fitted(self, pieces: list[Piece]) -> str:
        """Pieces cut at the width: a wrapped line could not be drawn over."""
        left = self.width - 1
        fitted = []
        for text, style in pieces:
            fitted.append(self.paint(text[:left], style))
            left -= len(text[:left])
        return "".join(fitted)
