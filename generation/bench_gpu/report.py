"""The bench's table, and what of it goes into a workflow's TOML."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import tomlkit

from generation.bench_gpu.measuring import EQUAL, IDENTICAL, Row
from generation.workflows.definition import BatchWay

#: A photo more in the batch pays off when it makes each photo cheaper by so much; less is within the noise.
PAYS_OFF = 0.95
GIB = 2**30
#: The customer's research for an RTX 3090, photos per hour: claims to be confirmed.
RESEARCH = (
    ("one by one, 1024 x 1024, 8 steps", 230),
    ("fp8 and xFormers", 400),
    ("and torch.compile", 600),
    ("and batches", 900),
    ("and all of it", 1300),
)


def markdown(card: dict[str, Any], rows: Sequence[Row]) -> str:
    """The table for people."""
    lines = [
        f"# {card['gpu']}, ComfyUI {card['comfyui']}, PyTorch {card['pytorch']}",
        "",
        f"{card['vram_gib']} GiB VRAM, {card['at']}. Seconds are those of a whole graph, the median of its runs by",
        "ComfyUI's clock, and `first` those of the run before, which loads and compiles; equality is the worst",
        "photo of a batch against its solo run:",
        f"{EQUAL:.0f} dB and more count as equal.",
        "",
        "| workflow | switch | way | batch | first | seconds | photos/h | VRAM peak, GiB | equality, dB | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in rows]
    lines += ["", "The customer's research says of an RTX 3090, photos per hour:", ""]
    lines += [f"- {what}: {count}" for what, count in RESEARCH]
    return "\n".join([*lines, ""])


def _line(row: Row) -> str:
    switch = f"{row.switch} {'on' if row.turned_on else 'off'}" if row.switch else "as it is"
    equality = "" if row.solo_equality is None else f"{row.solo_equality:.1f}"
    if row.solo_equality == IDENTICAL:
        equality = "identical"
    cells = (
        row.workflow,
        switch,
        row.way,
        str(row.batch),
        "" if row.first_seconds is None else f"{row.first_seconds:.2f}",
        "" if row.seconds is None else f"{row.seconds:.2f}",
        "" if row.photos_per_hour is None else f"{row.photos_per_hour:.0f}",
        "" if row.vram_peak is None else f"{row.vram_peak / GIB:.1f}",
        equality,
        row.problem or ("" if row.is_equal else "NOT EQUAL"),
    )
    return f"| {' | '.join(cells)} |"


def as_json(card: dict[str, Any], rows: Sequence[Row]) -> str:
    """The same for programs."""
    return json.dumps({**card, "rows": [asdict(row) for row in rows]}, indent=1, ensure_ascii=False) + "\n"


def best_batch(rows: Sequence[Row]) -> tuple[int, list[float]]:
    """The largest batch that pays off, of rows of one way by size, and what graphs of 1, 2, ... photos took.

    A size that is not equal to solo runs, or failed, ends the list: what comes after it is not used either.
    """
    measured: dict[int, float] = {}
    for row in sorted(rows, key=lambda row: row.batch):
        if row.seconds is None or not row.is_equal:
            break
        measured[row.batch] = row.seconds
    if 1 not in measured:
        return 1, []
    best = 1
    for size, seconds in measured.items():
        if seconds / size < PAYS_OFF * measured[best] / best:
            best = size
    return best, [round(_between(measured, size), 3) for size in range(1, best + 1)]


def _between(measured: dict[int, float], size: int) -> float:
    """Seconds of a size, on a line between the two measured ones around it."""
    low = max(known for known in measured if known <= size)
    high = min(known for known in measured if known >= size)
    if low == high:
        return measured[low]
    return measured[low] + (measured[high] - measured[low]) * (size - low) / (high - low)


def write(folder: Path, rows: Sequence[Row]) -> list[str]:
    """Put what was measured into the workflows' TOML files, comments left as they are; a sentence for each."""
    said = []
    for name, of_one in groupby(sorted(rows, key=lambda row: row.workflow), key=lambda row: row.workflow):
        mine = list(of_one)
        plain = [row for row in mine if not row.switch]
        one_pass = [row for row in mine if row.switch == "one_pass"]
        # Where the file has it on, the row as it is tells of it and the switch's row of the ordinary way.
        if plain and plain[0].way == BatchWay.ONE_PASS:
            plain, one_pass = one_pass, plain
        if sentence := _write_one(folder / f"{name}.toml", plain, one_pass):
            said.append(f"{name}: {sentence}")
    return said


def _write_one(path: Path, plain: Sequence[Row], one_pass: Sequence[Row]) -> str:
    file: Any = tomlkit.parse(path.read_text("utf-8"))
    single, alone = best_batch(plain)
    largest, seconds = best_batch(one_pass)
    pays = bool(seconds) and largest > 1 and (not alone or seconds[-1] / largest < PAYS_OFF * alone[-1] / single)
    if not alone and not pays:
        return ""
    switch = file.get("switches", {}).get("one_pass")
    # Both ways must have been tried, and more than one photo: what was not measured changes nothing.
    tried = {row.batch for row in one_pass if row.seconds or "OutOfMemory" in row.problem}
    if switch is not None and alone and 1 in tried and len(tried) > 1:
        switch["on"] = pays
        if pays:
            switch["batch"] |= {"largest": largest, "seconds": seconds}
    if alone:
        batch = file.setdefault("batch", tomlkit.table())
        batch["seconds"] = alone
        if single > 1:
            batch["largest"] = single
    path.write_text(tomlkit.dumps(file), "utf-8")
    if pays:
        return f"up to {largest} photos in one pass ({seconds[-1] / largest:.2f} s a photo)"
    return f"{alone[-1] / single:.2f} s a photo, {single} in a graph"
