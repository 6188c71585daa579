"""The last 24 hours as a picture, from the same rows as the figures. Drawn in a process of its own.

matplotlib holds Python's lock for most of a second: in a thread it would make everybody wait. This module imports
nothing of the product, so that the drawing process starts quickly.
"""

import asyncio
import io
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generation.figures import Bucket

Rows = list[dict[str, Any]]

#: Seconds that drawing may take, the start of its process included.
PATIENCE = 30.0
INK, FAINT = "#1f2937", "#d1d5db"
BLUE, RED, AMBER, GREEN = "#2563eb", "#dc2626", "#d97706", "#059669"


async def draw(history: Sequence["Bucket"], words: Mapping[str, str]) -> bytes:
    """A PNG of photos and failures, times, and the queue, below each other. `words` are its titles and labels.

    Raises OSError or TimeoutError when it cannot be drawn.
    """
    rows = [asdict(bucket) | {"begin": bucket.begin.isoformat()} for bucket in history]
    # A process for each picture: an operator looks at a few a day, and matplotlib would stay in memory.
    drawing = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.monitoring.chart", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        picture, _ = await asyncio.wait_for(
            drawing.communicate(json.dumps({"rows": rows, "words": words}).encode()), PATIENCE
        )
    except TimeoutError:
        drawing.kill()
        raise
    if drawing.returncode or not picture:
        raise OSError(f"drawing ended with {drawing.returncode}")
    return picture


def main() -> None:
    """Rows and words as JSON in, the PNG out."""
    asked = json.load(sys.stdin)
    rows = [row | {"begin": datetime.fromisoformat(row["begin"])} for row in asked["rows"]]
    sys.stdout.buffer.write(_draw(rows, asked["words"]))


def _draw(history: Rows, words: dict[str, str]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - loaded in the drawing process only
    from matplotlib.dates import DateFormatter  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 9), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    photos, times, queue = figure.subplots(3, 1, sharex=True)
    begins = [bucket["begin"] for bucket in history]
    width = (begins[1] - begins[0] if len(begins) > 1 else timedelta(minutes=30)) * 0.9

    photos.bar(begins, [bucket["delivered"] for bucket in history], width=width, align="edge", color=BLUE,
               label=words["delivered"])  # fmt: skip
    photos.bar(begins, [bucket["failed"] for bucket in history], width=width, align="edge", color=RED,
               bottom=[bucket["delivered"] for bucket in history], label=words["failed"])  # fmt: skip
    _line(times, history, [bucket["generation_p50"] for bucket in history], GREEN, words["p50"])
    _line(times, history, [bucket["generation_p95"] for bucket in history], AMBER, words["p95"])
    _line(times, history, [bucket["wait_p95"] for bucket in history], RED, words["wait"], style=":")
    queue.fill_between(begins, [bucket["waiting"] for bucket in history], step="post", color=BLUE, alpha=0.35)
    for axes, title in ((photos, "photos"), (times, "seconds"), (queue, "queue")):
        axes.set_title(words[title], loc="left", fontsize=11, color=INK)
        axes.set_ylim(bottom=0)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0, colors=INK)
    for axes in (photos, times):
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, frameon=False, ncols=3)
    queue.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    queue.set_xlabel("UTC", color=INK, fontsize=8, loc="right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _line(axes: Any, history: Rows, values: list[float | None], color: str, label: str, style: str = "-") -> None:
    """Gaps where no photo came; a dot where neighbours are missing."""
    shown = [float("nan") if value is None else value for value in values]
    axes.plot([bucket["begin"] for bucket in history], shown, style, color=color, label=label, linewidth=1.6,
              marker=".", markersize=4)  # fmt: skip


if __name__ == "__main__":
    main()
