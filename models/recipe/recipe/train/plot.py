"""python -m recipe plot RUN...: the curves of training runs as a PNG, from their log.jsonl. Needs the extra `plot` (matplotlib)."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipe.paths import cache_dir

PANELS = {
    "masked_ce": "Masked cross-entropy, nats",
    "masked_accuracy": "Masked accuracy",
    "causal_ce": "Causal cross-entropy, nats",
    "grad_norm": "Gradient norm",
    "kept": "Right visible tokens kept",
    "corrected": "Wrong visible tokens corrected",
    "steps_per_token": "Steps per token",
    "verifier": "Verifier score",
    "surrogate": "Surrogate of the steps",
}
"""Fields of a log line and the titles of their panels. A field that no run has gets no panel."""

AXES = {"tokens": ("Clean tokens, thousands", 1e3), "minutes": ("Minutes", 60.0), "steps": ("Optimizer steps", 1.0)}
COLOURS = ("#2a78d6", "#1baf7a", "#eda100", "#008300", "#4a3aa7", "#e34948")
"""One per run, in this order. They differ also under the common kinds of colour blindness."""
INK, MUTED, GRID = "#0b0b0b", "#52514e", "#e4e3df"
BINS = 40


@dataclass(frozen=True)
class Curve:
    """Means of one field over equal spans of a run."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]


def read_log(run: str) -> list[dict[str, float]]:
    """Training lines of a run: the name of a folder under runs/ in the cache, or the path of a folder."""
    folder = Path(run) if (Path(run) / "log.jsonl").exists() else cache_dir() / "runs" / run
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line or "verifier" in line]


def curve(log: list[dict[str, float]], field: str, axis: str, bins: int = BINS) -> Curve:
    """Means over at most `bins` spans of the axis, in a short run of about five steps each, because a single step says little."""
    source = {"tokens": "tokens", "minutes": "elapsed_s", "steps": "step"}[axis]
    rows = np.array([(line[source], line[field]) for line in log if field in line], dtype=np.float64).reshape(-1, 2)
    if not len(rows):
        return Curve(rows[:, 0], rows[:, 1])
    spans = min(bins, len(rows), max(8, len(rows) // 5))
    edges = np.linspace(rows[0, 0], rows[-1, 0], spans + 1)
    place = np.searchsorted(edges[1:-1], rows[:, 0], "left")
    used = np.unique(place)
    means = np.array([rows[place == index].mean(axis=0) for index in used])
    return Curve(means[:, 0] / AXES[axis][1], means[:, 1])


def draw(runs: list[str], axis: str, out: Path) -> None:
    """One panel per field, one line per run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    if len(runs) > len(COLOURS):
        raise ValueError(f"at most {len(COLOURS)} runs in one picture")
    logs = {run: read_log(run) for run in runs}
    panels = {field: title for field, title in PANELS.items() if any(field in line for log in logs.values() for line in log)}
    rows = -(-len(panels) // 2)
    figure, axes = pyplot.subplots(rows, 2, figsize=(10, 3.1 * rows), squeeze=False, layout="constrained")
    for panel, (field, title) in zip(axes.flat, panels.items(), strict=False):
        for colour, (run, log) in zip(COLOURS, logs.items(), strict=False):
            line = curve(log, field, axis)
            panel.plot(line.x, line.y, color=colour, linewidth=2, label=Path(run).name, solid_capstyle="round")
        panel.set_title(title, loc="left", color=INK, fontsize=11)
        panel.set_xlabel(AXES[axis][0], color=MUTED, fontsize=9)
        panel.tick_params(colors=MUTED, labelsize=9, length=0)
        panel.grid(axis="y", color=GRID, linewidth=0.8)
        panel.set_axisbelow(True)
        for side, spine in panel.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(GRID)
    for panel in axes.flat[len(panels) :]:
        panel.set_visible(False)
    if len(runs) > 1:
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(runs), frameon=False, labelcolor=INK, fontsize=10)
    figure.savefig(out, dpi=150, facecolor="white")
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="names of folders under runs/ in the cache, or paths of folders")
    parser.add_argument("--x", choices=sorted(AXES), default="tokens")
    parser.add_argument("--out", type=Path, default=Path("curves.png"))
    arguments = parser.parse_args()
    draw(arguments.runs, arguments.x, arguments.out)
    print(arguments.out)
