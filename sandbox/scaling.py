"""`python -m sandbox.scaling`: the scheduler on 1 to 1,000 simulated GPUs; a table, and docs/scaling.png."""

import argparse
import random
from pathlib import Path

from sandbox.simulation import RESEARCH, Arrival, Outcome, ours, poisson, simulate

PICTURE = Path("docs/scaling.png")
GPUS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
#: Share of what the GPUs could do at most that is ordered.
LOAD = 0.9
#: The two worlds: batches of four as the research's table has them, and batches without a gain.
WORLDS = {
    "batches gain as in the research": RESEARCH,
    "batches gain nothing": tuple(RESEARCH[0] * size for size in (1, 2, 3, 4)),
}
#: Telegram, messages a second for one bot (core.telegram.org/bots/faq).
TELEGRAM = 30
#: Answers for each photo, in the middle of the free and the premium cadence.
ANSWERS_A_PHOTO = 5


def arrivals(gpus: int, costs: tuple[float, ...]) -> list[Arrival]:
    """Orders of about ten minutes, 23 % of them premium."""
    most = gpus * max(size / seconds for size, seconds in enumerate(costs, start=1))
    return poisson(min(20_000, max(1_500, round(600 * most))), LOAD * most, rng=random.Random(gpus), premium=0.23)


def waits(outcome: Outcome, *, premium: bool) -> list[float]:
    """Seconds from the order to the start of the render, sorted."""
    return sorted(photo.started - photo.arrival.at for photo in outcome.served if photo.arrival.premium is premium)


def main() -> None:
    lines = {}
    for world, costs in WORLDS.items():
        for gpus in GPUS:
            orders = arrivals(gpus, costs)
            outcome = simulate(orders, ours(), gpus=gpus, costs=costs, lead=0.1)
            free, premium = waits(outcome, premium=False), waits(outcome, premium=True)
            seconds = max(photo.finished for photo in outcome.served)
            graphs = sum(gpu.graphs for gpu in outcome.gpus)
            lines[world, gpus] = {
                "photos a second": len(orders) / seconds,
                "claims a second": graphs / seconds,
                "free wait p95": free[int(0.95 * len(free))],
                "premium wait p95": premium[int(0.95 * len(premium))],
            }
            line = lines[world, gpus]
            print(
                f"{world:<34} {gpus:>5} GPUs  " + "  ".join(f"{name} {value:8.2f}" for name, value in line.items())
            )
    draw(lines)


def draw(lines: dict[tuple[str, int], dict[str, float]]) -> None:
    """Two panels: what must be carried with so many GPUs, and how long people wait."""
    import matplotlib as mpl  # noqa: PLC0415 - a tool for development only

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
    for world, style in zip(WORLDS, ("-", "--"), strict=True):
        photos = [lines[world, gpus]["photos a second"] for gpus in GPUS]
        messages = [rate * (1 + ANSWERS_A_PHOTO) for rate in photos]
        claims = [lines[world, gpus]["claims a second"] for gpus in GPUS]
        left.plot(GPUS, messages, style, color="tab:red", label=f"Telegram messages, {world}")
        left.plot(GPUS, claims, style, color="tab:blue", label=f"claims, {world}")
        for name, colour in (("free wait p95", "tab:blue"), ("premium wait p95", "tab:green")):
            right.plot(GPUS, [lines[world, gpus][name] + 0.01 for gpus in GPUS], style, color=colour,
                       label=f"{name}, {world}")  # fmt: skip
    left.axhline(TELEGRAM, color="tab:red", linewidth=0.8, linestyle=":")
    left.text(1, TELEGRAM * 1.15, "Telegram: 30 messages a second for one bot", color="tab:red", fontsize=8)
    left.set(
        xscale="log", yscale="log", xlabel="GPUs", ylabel="a second", title="What must be carried at 90 % load"
    )
    right.set(xscale="log", xlabel="GPUs", ylabel="seconds", title="Wait for a GPU at 90 % load, 23 % premium")
    right.set_yscale("symlog", linthresh=1)
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m sandbox.scaling", description=__doc__).parse_args()
    main()
