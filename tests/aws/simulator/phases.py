"""States that end by themselves.

They follow from the clock: nothing happens until somebody looks, and then everything happens that
was due by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.settings import timing


@dataclass
class Delay:
    """A timing that began at some moment.

    A timing that is changed meanwhile can only make it end sooner: what was over although nobody
    had looked would begin again otherwise.
    """

    timing: str
    began: float = field(default_factory=time.monotonic)
    # In seconds.
    longest: float = field(init=False)
    # What was over once is over for good.
    _was_over: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Note how long it takes by what is asked for now."""
        self.longest = timing(self.timing)

    @property
    def end(self) -> float:
        """When it ends, on the monotonic clock."""
        return self.began + min(self.longest, timing(self.timing))

    @property
    def is_over(self) -> bool:
        """Whether it ended by now."""
        self._was_over = self._was_over or time.monotonic() >= self.end
        return self._was_over


@dataclass
class Phase:
    """A state, how long it lasts (a timing's name), and what follows."""

    status: str
    timing: str
    done: Callable[[], None]
    delay: Delay = field(init=False)

    def __post_init__(self) -> None:
        """Note how long it lasts by what is asked for now."""
        self.delay = Delay(self.timing)


class Phases:
    """The states that something still goes through, one after the other."""

    def __init__(self, entered: Callable[[Phase | None, float], None]) -> None:
        """`entered` is told the state that begins, None after the last one, and when it began."""
        self._left: list[Phase] = []
        self._entered = entered

    def __bool__(self) -> bool:
        """Whether anything is under way."""
        return bool(self._left)

    def begin(self, *phases: Phase) -> None:
        """Enter the first of some states, which lead to each other."""
        self._left = list(phases)
        self._enter(time.monotonic())

    def settle(self) -> None:
        """Let happen what was due by now."""
        while self._left and self._left[0].delay.is_over:
            phase = self._left.pop(0)
            phase.done()
            self._enter(phase.delay.end)

    def _enter(self, at: float) -> None:
        current = self._left[0] if self._left else None
        if current is not None:
            current.delay.began = at
        self._entered(current, at)
