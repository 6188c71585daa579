"""Several photos in one sampler pass, each with its own prompt and seed, and each as it would come out alone.

A KSampler has one prompt and one seed for its whole batch. Here prompts are encoded one by one and put side by side
where the model's own arithmetic allows it (`grouping`); noise is made per item from its own seed, by ComfyUI's own
function, so that it is the noise of a solo run. What cannot share a pass gets a pass of its own in the same graph.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import comfy.model_base
import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch

from .grouping import Lengths, Text, groups

#: What no row of a real text consists of, and every number format holds exactly.
FILLING = 1.0
#: A CONDITIONING of ComfyUI: pairs of a tensor (1, tokens, width) and a dict; one pair for a plain prompt.
Conditioning = list[Any]


class VitteEncodePrompts:
    """A JSON list of prompts, each encoded by itself; equal ones once."""

    RETURN_TYPES = ("VITTE_PROMPTS",)
    FUNCTION = "encode"
    CATEGORY = "vitte"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """ComfyUI asks for them; `prompts` is a JSON list."""
        return {"required": {"clip": ("CLIP",), "prompts": ("STRING", {"multiline": True})}}

    def encode(self, clip: Any, prompts: str) -> tuple[list[Conditioning]]:
        """One conditioning for each prompt; a prompt that comes twice is encoded once."""
        texts = _json_list(prompts, str)
        known = {text: clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in dict.fromkeys(texts)}
        return ([known[text] for text in texts],)


class VitteSample:
    """A KSampler for several photos. Item k has the k-th prompt and the k-th seed of the JSON list `seeds`."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "sample"
    CATEGORY = "vitte"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """ComfyUI asks for them; `seeds` is a JSON list, one for each prompt."""
        return {
            "required": {
                "model": ("MODEL",),
                "positive": ("VITTE_PROMPTS",),
                "latent_image": ("LATENT",),
                "seeds": ("STRING", {"multiline": True}),
                "steps": ("INT", {"default": 20, "min": 1, "max": 10000}),
                "cfg": ("FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}),
                "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
                "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
            },
            # Without it a prompt of zeros; with cfg 1 nothing reads it.
            "optional": {"negative": ("VITTE_PROMPTS",)},
        }

    def sample(
        self,
        model: Any,
        positive: list[Conditioning],
        latent_image: dict[str, Any],
        seeds: str,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        negative: list[Conditioning] | None = None,
    ) -> tuple[dict[str, Any]]:
        """Latents of all photos in order; raises ValueError for an input that is no empty latent."""
        numbers = _json_list(seeds, int)
        if "noise_mask" in latent_image or torch.count_nonzero(latent_image["samples"]):
            raise ValueError("it samples from noise alone: neither a picture to start from nor a mask")
        # Newer versions tell by it how large a pixel of the latent is; older ones know neither.
        ratio = latent_image.get("downscale_ratio_spacial")
        known = () if ratio is None else (ratio,)
        latent = comfy.sample.fix_empty_latent_channels(model, latent_image["samples"], *known)
        negative = negative or [_zeros(conditioning) for conditioning in positive]
        if not len(positive) == len(negative) == len(numbers) == latent.shape[0]:
            raise ValueError(
                f"{len(positive)} prompts, {len(negative)} negative prompts, {len(numbers)} seeds and a batch of "
                f"{latent.shape[0]}: they must be as many"
            )
        diffusion = model.get_model_object("diffusion_model")
        lengths = _lengths(model.model, diffusion)
        texts = [(_text(one), _text(other)) for one, other in zip(positive, negative, strict=True)]
        made: list[Any] = [None] * len(numbers)
        for members in groups(texts, lengths, sampler=sampler_name):
            noise = [comfy.sample.prepare_noise(latent[k : k + 1], numbers[k]) for k in members]
            filled = lengths.multiple and any(len({texts[k][side].tokens for k in members}) > 1 for side in (0, 1))
            with _padding_learned(diffusion) if filled else nullcontext():
                samples = comfy.sample.sample(
                    model,
                    torch.cat(noise),
                    steps,
                    cfg,
                    sampler_name,
                    scheduler,
                    _merged([positive[k] for k in members], lengths),
                    _merged([negative[k] for k in members], lengths),
                    latent[members],
                    callback=latent_preview.prepare_callback(model, steps),
                    disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
                    seed=numbers[members[0]],
                )
            for index, k in enumerate(members):
                made[k] = samples[index : index + 1]
        return ({"samples": torch.cat(made)},)


def _json_list(text: str, kind: type) -> list[Any]:
    found = json.loads(text)
    if not isinstance(found, list) or not found or not all(type(one) is kind for one in found):
        raise ValueError(f"not a JSON list of {kind.__name__}")
    return found


def _lengths(base: Any, diffusion: Any) -> Lengths:
    if _pads(diffusion):
        return Lengths(multiple=diffusion.pad_tokens_multiple)
    # Classes that leave the text to cross-attention; their relatives with joint attention override that.
    return Lengths(may_repeat=type(base) in {comfy.model_base.BaseModel, comfy.model_base.SDXL})


def _pads(diffusion: Any) -> bool:
    """Whether it fills texts up with a learned token (Z-Image, comfy/ldm/lumina/model.py)."""
    return bool(getattr(diffusion, "pad_tokens_multiple", None)) and hasattr(diffusion, "cap_pad_token")


@contextmanager
def _padding_learned(diffusion: Any) -> Iterator[None]:
    """Rows of FILLING, with which `_merged` fills texts up, become the learned token, as in a solo run.

    The model does that itself for what it fills up, which is the same number of rows for the whole batch.
    """

    def fill(_module: Any, given: tuple[Any, ...], embedded: Any) -> Any:
        is_filling = (given[0] == FILLING).all(dim=-1, keepdim=True)
        return torch.where(is_filling, diffusion.cap_pad_token.to(embedded), embedded)

    hook = diffusion.cap_embedder.register_forward_hook(fill)
    try:
        yield
    finally:
        hook.remove()


def _text(conditioning: Conditioning) -> Text:
    """What `grouping` must know of an encoded prompt."""
    if len(conditioning) != 1:
        # Scheduled or combined: more than a plain prompt.
        return Text(0, None)
    tensor, details = conditioning[0]
    likeness: list[Any] = [tensor.shape[2:], tensor.dtype]
    for name, value in sorted(details.items()):
        if name == "attention_mask" and isinstance(value, torch.Tensor):
            if not bool(value.all()):
                return Text(0, None)
        elif isinstance(value, torch.Tensor) and value.ndim >= 2 and value.shape[0] == 1:
            likeness.append((name, tuple(value.shape), value.dtype))
        elif value is None or isinstance(value, str | int | float | bool):
            likeness.append((name, value))
        else:
            return Text(0, None)
    return Text(tensor.shape[1], tuple(likeness))


def _merged(conditionings: list[Conditioning], lengths: Lengths) -> Conditioning:
    """One conditioning with an item for each of a group."""
    if len(conditionings) == 1:
        return conditionings[0]
    pairs = [conditioning[0] for conditioning in conditionings]
    length = lengths.common([tensor.shape[1] for tensor, _ in pairs])
    assert length is not None  # noqa: S101 - it is a group
    tensors = [_brought_to(length, tensor, lengths) for tensor, _ in pairs]
    details = dict(pairs[0][1])
    for name, value in details.items():
        if name == "attention_mask" and value is not None:
            # Nothing is masked; models that count tokens by it count those of one item.
            details[name] = torch.ones_like(value[:1, :1]).repeat(1, length)
        elif isinstance(value, torch.Tensor):
            details[name] = torch.cat([other[name] for _, other in pairs])
    return [[torch.cat(tensors), details]]


def _brought_to(length: int, tensor: Any, lengths: Lengths) -> Any:
    missing = length - tensor.shape[1]
    if not missing:
        return tensor
    if lengths.multiple:
        return torch.nn.functional.pad(tensor, (0, 0, 0, missing), value=FILLING)
    return tensor.repeat(1, length // tensor.shape[1], 1)


def _zeros(conditioning: Conditioning) -> Conditioning:
    """As ComfyUI's ConditioningZeroOut."""
    made = []
    for tensor, details in conditioning:
        pooled = details.get("pooled_output")
        zeros = {} if pooled is None else {"pooled_output": torch.zeros_like(pooled)}
        made.append([torch.zeros_like(tensor), {**details, **zeros}])
    return made
