"""Progress lines of commands that take long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
SECONDS = 5
"""Work shorter than this shows no line; longer work updates its line at this interval."""


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
    """The items, with a line on stderr: how many are done, and the time left. `total`: their number, if they have no length."""
    shown: Iterable[T] = tqdm(items, label, total, delay=SECONDS, mininterval=SECONDS, maxinterval=SECONDS)
    return shown
