"""The nodes of generation/comfyui_nodes: what is pure by itself, the rest against the stand-in or a real ComfyUI.

    COMFYUI_URL=http://127.0.0.1:8188 python -m pytest tests/generation/test_comfyui_nodes.py

needs the folder linked into its `custom_nodes`, and the checkpoint that the contract's tests need.
"""

import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from generation.comfyui_nodes import access
from generation.comfyui_nodes.grouping import Lengths, Text, groups
from generation.comfyui_nodes.model_cache import ModelCache
from sandbox.comfyui import Cost
from sandbox.comfyui.nodes import NODES
from tests.generation.backends.test_comfyui_contract import Json, Server, connected, new_colour, plain, sampled


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with connected(tmp_path, Cost(batch=(0.1,), swap=0.0)) as server:
        yield server


SHORT, LONG = "a cat", "a very long walk " * 30


def same(tokens: int) -> tuple[Text, Text]:
    return Text(tokens, "x"), Text(77, "x")


# -- who may be together --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lengths", "tokens", "expected"),
    [
        (Lengths(), [77, 77, 154, 77], [[0, 1, 3], [2]]),
        (Lengths(may_repeat=True), [77, 154, 77], [[0, 1, 2]]),
        # 462 tokens would be six times the shorter one.
        (Lengths(may_repeat=True), [77, 154, 231], [[0, 1], [2]]),
        (Lengths(multiple=32), [20, 32, 33, 64, 7], [[0, 1, 4], [2, 3]]),
    ],
)
def test_only_texts_that_the_model_takes_alike_share_a_pass(
    lengths: Lengths, tokens: list[int], expected: list[list[int]]
) -> None:
    assert groups([same(count) for count in tokens], lengths, sampler="euler") == expected


def test_a_sampler_with_noise_of_its_own_and_unknown_conditionings_go_alone() -> None:
    texts = [same(77)] * 3
    assert groups(texts, Lengths(), sampler="euler_ancestral") == [[0], [1], [2]]
    strange = (Text(77, None), Text(77, "x"))
    assert groups([strange, strange], Lengths(), sampler="euler") == [[0], [1]]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=16), st.booleans(), st.sampled_from([0, 32]))
def test_every_item_is_in_exactly_one_pass_and_fits_its_company(
    tokens: list[int], may_repeat: bool, multiple: int
) -> None:
    lengths = Lengths(may_repeat, multiple)
    found = groups([same(count) for count in tokens], lengths, sampler="euler")
    assert sorted(index for group in found for index in group) == list(range(len(tokens)))
    for group in found:
        common = lengths.common([tokens[index] for index in group])
        assert common is not None
        assert common >= max(tokens[index] for index in group)


# -- models in RAM --------------------------------------------------------------------------------------


def test_the_last_used_models_stay_and_hits_and_loads_are_counted() -> None:
    loaded: list[str] = []

    def get(kept: ModelCache, name: str) -> str:
        def load() -> str:
            loaded.append(name)
            return name

        return str(kept.get("unet", name, load))

    kept = ModelCache(2)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert get(kept, name) == name
    assert loaded == ["a", "b", "c", "b"]
    report = kept.report()
    assert (report["hits"], report["loads"], report["kept"]) == (2, 4, {"unet": 2})
    kept.clear()
    get(kept, "b")
    assert loaded[-1] == "b"


def test_what_cannot_be_loaded_is_not_kept() -> None:
    kept = ModelCache(2)

    def broken() -> Any:
        raise OSError

    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011
            kept.get("unet", "a", broken)
    assert kept.report()["loads"] == 0


# -- in ComfyUI -----------------------------------------------------------------------------------------


async def installed(server: Server) -> None:
    if "VitteSample" not in await server.get("/object_info/VitteSample"):
        pytest.skip("this ComfyUI has no link to generation/comfyui_nodes")


async def alone(server: Server, prompt: str, seed: int, *, sampler: str) -> Json:
    """An ordinary graph of one photo."""
    graph = await sampled(server, steps=3)
    graph["2"]["inputs"]["text"] = prompt
    graph["5"]["inputs"] |= {"seed": seed, "sampler_name": sampler}
    return graph


async def together(server: Server, prompts: list[str], seeds: list[int], *, sampler: str) -> Json:
    """The same photos in one graph."""
    graph = await sampled(server, steps=3)
    old = graph["5"]["inputs"]
    graph["1"]["class_type"] = "VitteCheckpointLoaderSimple"
    graph["2"] = {"class_type": "VitteEncodePrompts", "inputs": {"clip": ["1", 1], "prompts": json.dumps(prompts)}}
    graph["3"] = {
        "class_type": "VitteEncodePrompts",
        "inputs": {"clip": ["1", 1], "prompts": json.dumps([""] * len(prompts))},
    }
    graph["4"]["inputs"]["batch_size"] = len(prompts)
    kept = ("model", "positive", "negative", "latent_image", "steps", "cfg", "scheduler")
    inputs = {name: old[name] for name in kept} | {"seeds": json.dumps(seeds), "sampler_name": sampler}
    graph["5"] = {"class_type": "VitteSample", "inputs": inputs}
    graph["7"]["class_type"] = "VitteSaveImage"
    return graph


async def images(server: Server, graph: Json) -> list[Image.Image]:
    _, entry = await server.run(graph)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    found: list[Image.Image] = []
    for file in entry["outputs"]["7"]["images"]:
        async with server.session.get(f"{server.url}/view", params=file) as response:
            found.append(Image.open(io.BytesIO(await response.read())))
    return found


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean squared error of 8-bit values."""
    return float(((np.asarray(one, dtype=float) - np.asarray(other, dtype=float)) ** 2).mean())


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "euler_ancestral"])
async def test_each_photo_of_a_batch_is_the_one_that_it_is_alone(server: Server, sampler: str) -> None:
    await installed(server)
    prompts, seeds = [SHORT, LONG, "a dog on a roof", SHORT], [1, 2, 3, 2**60]
    batch = await images(server, await together(server, prompts, seeds, sampler=sampler))
    assert len(batch) == len(prompts)
    for prompt, seed, image in zip(prompts, seeds, batch, strict=True):
        (single,) = await images(server, await alone(server, prompt, seed, sampler=sampler))
        # 40 dB and better: a mean square of 6.5.
        assert difference(single, image) < 6.5
    assert difference(batch[0], batch[2]) > 6.5


async def test_nothing_of_the_graph_is_in_the_file(server: Server) -> None:
    await installed(server)
    (image,) = await images(server, await together(server, [SHORT], [5], sampler="euler"))
    assert image.info == {}


async def test_lists_of_different_lengths_are_an_error_that_says_so(server: Server) -> None:
    await installed(server)
    graph = await together(server, [SHORT, LONG], [1, 2], sampler="euler")
    graph["5"]["inputs"]["seeds"] = "[1]"
    _, entry = await server.run(graph)
    name, details = entry["status"]["messages"][-1]
    assert name == "execution_error"
    assert "must be as many" in details["exception_message"]


async def test_the_stand_in_describes_the_nodes_as_they_are(server: Server) -> None:
    await installed(server)
    found = await server.get("/object_info")
    for name in (name for name in NODES if name.startswith("Vitte")):
        real, ours = found[name], NODES[name]
        assert (real["output"], real["output_node"]) == (ours["output"], ours["output_node"]), name
        for group in ("required", "optional"):
            assert set(real["input"].get(group, {})) == set(ours["input"].get(group, {})), name


async def test_a_model_that_comes_back_is_not_loaded_again(server: Server) -> None:
    await installed(server)
    async with server.session.get(f"{server.url}/vitte/models") as response:
        if response.status != 200:
            pytest.skip("the stand-in loads no models")
        before = await response.json()
    for seed in (11, 12):
        await images(server, await together(server, [SHORT], [seed], sampler="euler"))
        # A graph without the loader: ComfyUI itself forgets what the loader made.
        await server.run(plain(new_colour()))
    after = await server.get("/vitte/models")
    assert after["hits"] > before["hits"]
    assert after["loads"] - before["loads"] <= 1


# -- who may ask ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "remote", "secret", "expected"),
    [
        ({}, "127.0.0.1", "", True),
        ({}, "::1", "", True),
        ({}, None, "", True),
        ({}, "172.18.0.4", "", False),
        ({}, "127.0.0.1", "s3cret", False),
        ({"X-Vitte-Secret": "s3cret"}, "172.18.0.4", "s3cret", True),
        ({"X-Vitte-Secret": "s3cre"}, "172.18.0.4", "s3cret", False),
        ({"X-Vitte-Secret": "сек\udce9ет"}, "172.18.0.4", "s3cret", False),
        ({"Origin": "http://evil.example"}, "127.0.0.1", "", False),
        ({"Origin": "http://127.0.0.1:8188"}, "127.0.0.1", "", False),
        ({"Sec-Fetch-Site": "none"}, "127.0.0.1", "", False),
        ({"Origin": "null", "X-Vitte-Secret": "s3cret"}, "127.0.0.1", "s3cret", False),
    ],
)
def test_the_routes_are_for_the_worker_alone(
    headers: dict[str, str], remote: str | None, secret: str, expected: bool
) -> None:
    assert access.allowed(headers, remote, secret) is expected


def test_every_route_asks_who_it_is() -> None:
    source = (Path(access.__file__).parent / "routes.py").read_text("utf-8")
    assert source.count("@routes.") == source.count("@_guarded") >= 5
    assert not re.search(r"@routes\.(?!.*\n    @_guarded\n)", source)
