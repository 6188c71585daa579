"""What the pictures of a graph are made of: prompts, seeds, sizes and reference pictures, read from its nodes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from sandbox.comfyui.drawing import blots, draw, filled, reddened, to_png
from sandbox.comfyui.validation import Graph


@dataclass(frozen=True, slots=True)
class Source:
    prompt: str
    seed: int
    width: int
    height: int
    colour: int | None
    #: Its noise comes from its own seed, whatever its place in the batch.
    own_noise: bool = False
    #: Files of the reference pictures that guide it.
    references: tuple[str, ...] = ()


def pictures(graph: Graph, node: str) -> Iterator[Source]:
    """What the images of an output node are made of, one for each item of the batch."""
    source = graph[graph[node]["inputs"]["images"][0]]
    if source["class_type"] == "EmptyImage":
        inputs = source["inputs"]
        for _ in range(inputs["batch_size"]):
            yield Source("", 0, inputs["width"], inputs["height"], inputs["color"])
        return
    sampler = graph[source["inputs"]["samples"][0]]["inputs"]
    latent = graph[sampler["latent_image"][0]]["inputs"]
    if "seeds" in sampler:
        for prompt, seed in zip(prompts(graph, sampler), json.loads(sampler["seeds"]), strict=True):
            yield Source(prompt, seed, latent["width"], latent["height"], None, own_noise=True)
        return
    # Samplers of FLUX.2 have their noise, prompt and steps in nodes of their own.
    conditioning = (
        sampler["positive"] if "positive" in sampler else graph[sampler["guider"][0]]["inputs"]["conditioning"]
    )
    seed = sampler["seed"] if "seed" in sampler else graph[sampler["noise"][0]]["inputs"]["noise_seed"]
    words, references = _guidance(graph, conditioning[0])
    for _ in range(latent["batch_size"]):
        yield Source(words, seed, latent["width"], latent["height"], None, references=references)


def steps_of(graph: Graph, node: str) -> int:
    """Steps of a sampler, whichever node has them."""
    inputs = graph[node]["inputs"]
    steps: int = inputs["steps"] if "steps" in inputs else graph[inputs["sigmas"][0]]["inputs"]["steps"]
    return steps


def _guidance(graph: Graph, node: str) -> tuple[str, tuple[str, ...]]:
    """The prompt behind a conditioning, and the files that guide it."""
    words, files, seen = "", dict[str, None](), set[str]()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        inputs = graph[node]["inputs"]
        words = words or str(inputs.get("text") or inputs.get("prompt") or "")
        if graph[node]["class_type"] == "LoadImage":
            files[str(inputs["image"])] = None
        waiting += [value[0] for _, value in sorted(inputs.items(), reverse=True) if isinstance(value, list)]
    return words, tuple(sorted(files))


def prompts(graph: Graph, sampler: dict[str, Any]) -> list[str]:
    """What VitteSample has in `positive`."""
    found: list[str] = json.loads(graph[sampler["positive"][0]]["inputs"]["prompts"])
    return found


def render(source: Source, index: int, graph: Graph | None, folder: Path, *, flaw: str) -> bytes:
    """PNG bytes; `folder` has the reference pictures."""
    if flaw == "black":
        image = filled(source.width, source.height, 0)
    elif flaw == "noise":
        image = blots(source.seed, source.width, source.height)
    elif source.colour is not None:
        image = filled(source.width, source.height, source.colour)
    else:
        # Like ComfyUI, one seed makes the noise of the whole batch: item k differs by its place.
        seed = source.seed + (0 if source.own_noise else index * 1_000_003)
        image = draw(source.prompt, seed, source.width, source.height, _face(folder, source.references))
    if flaw == "red":
        image = reddened(image)
    return to_png(image, graph)


def _face(folder: Path, references: tuple[str, ...]) -> Image.Image | None:
    """The first reference picture: a stand-in knows no face, and shows whose it should be."""
    if not references:
        return None
    with Image.open(folder / references[0]) as picture:
        return picture.convert("RGB")
