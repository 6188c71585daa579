"""Which photos may share a sampler pass, so that each comes out as it would alone. Pure: no torch, no ComfyUI."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

#: Samplers that add no noise of their own and look at each item by itself. With others the noise of an item would
#: depend on its neighbours (one generator for the whole batch), or the size of a step would.
DETERMINISTIC_SAMPLERS = frozenset(
    {
        "euler", "euler_cfg_pp", "heun", "heunpp2", "dpm_2", "lms", "dpmpp_2m", "dpmpp_2m_cfg_pp", "ipndm",
        "ipndm_v", "deis", "res_multistep", "res_multistep_cfg_pp", "gradient_estimation", "ddim", "uni_pc",
        "uni_pc_bh2",
    }
)  # fmt: skip
#: How often a short text may be repeated to the length of a longer one; ComfyUI's own limit (comfy/conds.py).
MOST_REPEATS = 4


@dataclass(frozen=True, slots=True)
class Text:
    """An encoded prompt: the length in tokens, and all else that must be equal. `likeness` None fits nobody."""

    tokens: int
    likeness: Hashable | None


@dataclass(frozen=True, slots=True)
class Lengths:
    """What a model makes of texts of different lengths."""

    #: Cross-attention gives the same for a text that is repeated as a whole (SD1.5, SDXL).
    may_repeat: bool = False
    #: Z-Image fills texts up to a multiple of this with a learned token, which the image attends to: only texts
    #: that end in the same multiple may be together. 0: lengths must be equal.
    multiple: int = 0

    def common(self, lengths: Sequence[int]) -> int | None:
        """The length that all of them are brought to; None when they cannot be together."""
        if len(set(lengths)) == 1:
            return lengths[0]
        if self.multiple:
            filled = {math.ceil(length / self.multiple) * self.multiple for length in lengths}
            return filled.pop() if len(filled) == 1 else None
        if self.may_repeat and (common := math.lcm(*lengths)) <= MOST_REPEATS * min(lengths):
            return common
        return None


def groups(texts: Sequence[tuple[Text, Text]], lengths: Lengths, *, sampler: str) -> list[list[int]]:
    """Put items, each a positive and a negative text, into passes; every index is in exactly one of them."""
    if sampler not in DETERMINISTIC_SAMPLERS:
        return [[index] for index in range(len(texts))]
    found: list[list[int]] = []
    for index in range(len(texts)):
        for group in found:
            if _fit([texts[member] for member in (*group, index)], lengths):
                group.append(index)
                break
        else:
            found.append([index])
    return found


def _fit(texts: Sequence[tuple[Text, Text]], lengths: Lengths) -> bool:
    for side in zip(*texts, strict=True):
        likenesses = {text.likeness for text in side}
        if len(likenesses) > 1 or None in likenesses:
            return False
        if lengths.common([text.tokens for text in side]) is None:
            return False
    return True
