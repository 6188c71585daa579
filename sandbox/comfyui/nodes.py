"""The node classes that the stand-in knows, in the form of ComfyUI's `/object_info`."""

from collections.abc import Collection
from typing import Any

SAMPLERS = [
    "euler", "euler_cfg_pp", "euler_ancestral", "heun", "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast",
    "dpm_adaptive", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m_sde", "ddpm", "lcm",
    "ipndm", "deis", "res_multistep", "ddim", "uni_pc", "uni_pc_bh2",
]  # fmt: skip
SCHEDULERS = [
    "simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal", "linear_quadratic",
    "kl_optimal",
]  # fmt: skip
CLIP_TYPES = ["stable_diffusion", "stable_cascade", "sd3", "lumina2", "qwen_image", "hunyuan_image", "flux2"]
MODELS = {
    "checkpoints": ["sd_xl_base_1.0.safetensors", "tiny.safetensors"],
    "diffusion_models": [
        "z_image_turbo_bf16.safetensors",
        "flux-2-klein-4b-fp8.safetensors",
        "qwen_image_edit_2511_fp8mixed.safetensors",
    ],
    "text_encoders": ["qwen_3_4b.safetensors", "qwen_2.5_vl_7b_fp8_scaled.safetensors"],
    "vae": ["ae.safetensors", "flux2-vae.safetensors", "qwen_image_vae.safetensors", "pixel_space"],
    "loras": ["example.safetensors", "Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors"],
}


def _integer(default: int, low: int, high: int, step: int = 1) -> list[Any]:
    return ["INT", {"default": default, "min": low, "max": high, "step": step}]


def _number(default: float, low: float, high: float) -> list[Any]:
    return ["FLOAT", {"default": default, "min": low, "max": high, "step": 0.01}]


def _latent(step: int) -> dict[str, Any]:
    return {
        "width": _integer(1024, 16, 16384, step),
        "height": _integer(1024, 16, 16384, step),
        "batch_size": _integer(1, 1, 4096),
    }


def _node(output: list[str], *, output_node: bool = False, optional: Any = None, **required: Any) -> dict[str, Any]:
    inputs = {"required": required} | ({"optional": optional} if optional else {})
    return {"input": inputs, "output": output, "output_node": output_node}


_SEED = _integer(0, 0, 2**64 - 1)
_DEVICE = {"device": [["default", "cpu"], {"advanced": True}]}

_STRING = ["STRING", {"multiline": True}]
_SAVE = {"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "ComfyUI"}]}

NODES: dict[str, dict[str, Any]] = {
    "EmptyImage": _node(
        ["IMAGE"],
        width=_integer(512, 1, 16384),
        height=_integer(512, 1, 16384),
        batch_size=_integer(1, 1, 4096),
        color=_integer(0, 0, 0xFFFFFF),
    ),
    "SaveImage": _node([], output_node=True, **_SAVE),
    "PreviewImage": _node([], output_node=True, images=["IMAGE"]),
    "CheckpointLoaderSimple": _node(["MODEL", "CLIP", "VAE"], ckpt_name=[MODELS["checkpoints"]]),
    "UNETLoader": _node(
        ["MODEL"],
        unet_name=[MODELS["diffusion_models"]],
        weight_dtype=[["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"]],
    ),
    "CLIPLoader": _node(["CLIP"], optional=_DEVICE, clip_name=[MODELS["text_encoders"]], type=[CLIP_TYPES]),
    "VAELoader": _node(["VAE"], vae_name=[MODELS["vae"]]),
    "LoraLoaderModelOnly": _node(
        ["MODEL"], model=["MODEL"], lora_name=[MODELS["loras"]], strength_model=_number(1, -100, 100)
    ),
    "TorchCompileModel": _node(["MODEL"], model=["MODEL"], backend=[["inductor", "cudagraphs"]]),
    "ModelSamplingAuraFlow": _node(["MODEL"], model=["MODEL"], shift=_number(1.73, 0, 100)),
    "CLIPTextEncode": _node(["CONDITIONING"], text=["STRING", {"multiline": True}], clip=["CLIP"]),
    "ConditioningZeroOut": _node(["CONDITIONING"], conditioning=["CONDITIONING"]),
    "EmptyLatentImage": _node(["LATENT"], **_latent(8)),
    "EmptySD3LatentImage": _node(["LATENT"], **_latent(16)),
    "KSampler": _node(
        ["LATENT"],
        model=["MODEL"],
        seed=_SEED,
        steps=_integer(20, 1, 10000),
        cfg=_number(8, 0, 100),
        sampler_name=[SAMPLERS],
        scheduler=[SCHEDULERS],
        positive=["CONDITIONING"],
        negative=["CONDITIONING"],
        latent_image=["LATENT"],
        denoise=_number(1, 0, 1),
    ),
    "VAEDecode": _node(["IMAGE"], samples=["LATENT"], vae=["VAE"]),
    "VAEEncode": _node(["LATENT"], pixels=["IMAGE"], vae=["VAE"]),
    # Its list is that of the input folder; a value outside it is told in words of its own.
    "LoadImage": _node(["IMAGE", "MASK"], image=["COMBO", {"image_upload": True, "options": []}]),
    "ImageScaleToTotalPixels": _node(
        ["IMAGE"],
        image=["IMAGE"],
        upscale_method=[["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]],
        megapixels=_number(1, 0.01, 16),
        resolution_steps=_integer(1, 1, 256),
    ),
    "ReferenceLatent": _node(["CONDITIONING"], optional={"latent": ["LATENT"]}, conditioning=["CONDITIONING"]),
    "FluxKontextMultiReferenceLatentMethod": _node(
        ["CONDITIONING"],
        conditioning=["CONDITIONING"],
        reference_latents_method=[["offset", "index", "uxo/uno", "index_timestep_zero"]],
    ),
    "TextEncodeQwenImageEditPlus": _node(
        ["CONDITIONING"],
        optional={"vae": ["VAE"], "image1": ["IMAGE"], "image2": ["IMAGE"], "image3": ["IMAGE"]},
        clip=["CLIP"],
        prompt=["STRING", {"multiline": True}],
    ),
    "CFGNorm": _node(["MODEL"], model=["MODEL"], strength=_number(1, 0, 100)),
    "EmptyFlux2LatentImage": _node(["LATENT"], **_latent(16)),
    "Flux2Scheduler": _node(
        ["SIGMAS"], steps=_integer(20, 1, 4096), width=_integer(1024, 16, 16384), height=_integer(1024, 16, 16384)
    ),
    "KSamplerSelect": _node(["SAMPLER"], sampler_name=[SAMPLERS]),
    "RandomNoise": _node(["NOISE"], noise_seed=_SEED),
    "BasicGuider": _node(["GUIDER"], model=["MODEL"], conditioning=["CONDITIONING"]),
    "SamplerCustomAdvanced": _node(
        ["LATENT", "LATENT"],
        noise=["NOISE"],
        guider=["GUIDER"],
        sampler=["SAMPLER"],
        sigmas=["SIGMAS"],
        latent_image=["LATENT"],
    ),
}

#: ComfyUI's loaders, and those of generation/comfyui_nodes that keep models in RAM, load files by these inputs.
LOADERS = {"CheckpointLoaderSimple": "ckpt_name", "UNETLoader": "unet_name"}
LOADERS |= {f"Vitte{name}": given for name, given in LOADERS.items()}

NODES |= {
    f"Vitte{name}": NODES[name] for name in ("CheckpointLoaderSimple", "UNETLoader", "CLIPLoader", "VAELoader")
}
NODES |= {
    "VitteEncodePrompts": _node(["VITTE_PROMPTS"], clip=["CLIP"], prompts=_STRING),
    "VitteSample": _node(
        ["LATENT"],
        optional={"negative": ["VITTE_PROMPTS"]},
        model=["MODEL"],
        positive=["VITTE_PROMPTS"],
        latent_image=["LATENT"],
        seeds=_STRING,
        steps=_integer(20, 1, 10000),
        cfg=_number(8, 0, 100),
        sampler_name=[SAMPLERS],
        scheduler=[SCHEDULERS],
    ),
    "VitteSaveImage": _node([], output_node=True, **_SAVE),
}


def nodes_of(missing: Collection[str]) -> dict[str, dict[str, Any]]:
    """What a ComfyUI without these files and node classes has."""
    return {
        kind: {**node, "input": {group: _having(inputs, missing) for group, inputs in node["input"].items()}}
        for kind, node in NODES.items()
        if kind not in missing
    }


def _having(inputs: dict[str, Any], missing: Collection[str]) -> dict[str, Any]:
    return {
        name: [[file for file in spec[0] if file not in missing], *spec[1:]] if isinstance(spec[0], list) else spec
        for name, spec in inputs.items()
    }
