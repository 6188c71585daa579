"""ComfyUI on Modal's GPUs: `modal run deploy/modal/app.py::download`, then `modal deploy deploy/modal/app.py`.

A worker with RENDER_BACKEND=modal sends its graphs here (docs/operations.md). Two functions: `web`, small and
without a GPU, takes jobs and says how they stand; `ComfyUI` renders them.

The customer's research (7B): a memory snapshot for the cold start, `min_containers` for a warm pool,
`scaledown_window` for how long an idle container stays, input concurrency. `web` answers many at once; a container
of `ComfyUI` takes one graph in hand and one more, so that the next is there when a render ends.
"""

import base64
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import modal

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1] if len(HERE.parents) > 1 else HERE
COMFYUI = "/ComfyUI"
#: Where what is imported here lies in the images.
CODE = "/vitte"
#: The tag that Vitte was tried with (docs/comfyui.md).
VERSION = "v0.33.0"
GPU = os.environ.get("VITTE_MODAL_GPU", "L40S")
#: Containers that stay though nothing is asked of them; each is paid for all day.
WARM = int(os.environ.get("VITTE_MODAL_WARM", "0"))
MOST = int(os.environ.get("VITTE_MODAL_MOST", "4"))
#: Seconds that an idle container stays, and that one call may take.
STAYS, LONGEST = 300, 900
#: The files of Z-Image Turbo as its workflow names them.
_SPLIT = "split_files"
WEIGHTS = {
    "diffusion_models/z_image_turbo_bf16.safetensors": f"{_SPLIT}/diffusion_models/z_image_turbo_bf16.safetensors",
    "text_encoders/qwen_3_4b.safetensors": f"{_SPLIT}/text_encoders/qwen_3_4b.safetensors",
    "vae/ae.safetensors": f"{_SPLIT}/vae/ae.safetensors",
}
REPOSITORY = "Comfy-Org/z_image_turbo"

app = modal.App("vitte-comfyui")
models = modal.Volume.from_name("vitte-models", create_if_missing=True)
#: When a call began, by its id: Modal itself does not tell waiting from running.
begun = modal.Dict.from_name("vitte-begun", create_if_missing=True)

web_image = (
    modal.Image.debian_slim("3.12")
    .pip_install("starlette>=1")
    .env({"PYTHONPATH": CODE})
    .add_local_file(HERE / "web.py", f"{CODE}/web.py")
    .add_local_file(ROOT / "deploy" / "comfyui_runner.py", f"{CODE}/comfyui_runner.py")
)
gpu_image = (
    modal.Image.debian_slim("3.12")
    .apt_install("git")
    .run_commands(
        f"git clone --depth 1 --branch {VERSION} https://github.com/comfyanonymous/ComfyUI {COMFYUI}",
        f"pip install -r {COMFYUI}/requirements.txt",
    )
    .pip_install("huggingface_hub", "starlette>=1")
    .env({"PYTHONPATH": CODE})
    .add_local_file(HERE / "web.py", f"{CODE}/web.py")
    .add_local_file(ROOT / "deploy" / "comfyui_runner.py", f"{CODE}/comfyui_runner.py")
    .add_local_dir(ROOT / "generation" / "comfyui_nodes", f"{COMFYUI}/custom_nodes/vitte")
)


@app.function(image=gpu_image, volumes={"/models": models}, timeout=3600)
def download() -> None:
    """Put the weights into the volume, once."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - in the container alone

    for target, source in WEIGHTS.items():
        path = Path("/models") / target
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(hf_hub_download(REPOSITORY, source), path)
    models.commit()


@app.cls(
    image=gpu_image,
    gpu=GPU,
    volumes={"/models": models},
    min_containers=WARM,
    max_containers=MOST,
    scaledown_window=STAYS,
    timeout=LONGEST,
    enable_memory_snapshot=True,
    experimental_options={"enable_gpu_snapshot": True},
)
@modal.concurrent(max_inputs=2)
class ComfyUI:
    """One GPU with its ComfyUI."""

    @modal.enter(snap=True)
    def start(self) -> None:
        """ComfyUI is up before the snapshot is taken, so a cold start brings a running one back."""
        from comfyui_runner import Runner  # noqa: PLC0415 - copied into the image

        Path(f"{CODE}/models.yaml").write_text(
            "vitte:\n  base_path: /models\n  diffusion_models: diffusion_models\n"
            "  text_encoders: text_encoders\n  vae: vae\n  checkpoints: checkpoints\n  loras: loras\n"
        )
        self.runner = Runner()
        self.runner.start(
            [
                *("python", f"{COMFYUI}/main.py", "--listen", "127.0.0.1", "--port", "8188"),
                *("--disable-metadata", "--disable-api-nodes"),
                *("--extra-model-paths-config", f"{CODE}/models.yaml"),
            ]
        )

    @modal.enter(snap=False)
    def look(self) -> None:
        """After a snapshot was brought back."""
        self.runner.wait_until_up()

    @modal.method()
    def render(self, graph: dict[str, Any], timeout: float, pictures: list[dict[str, str]]) -> dict[str, Any]:
        """What RunPod's worker-comfyui would answer: images as base64, or an error and its details."""
        begun[modal.current_function_call_id()] = time.time()
        return rendered(self.runner, graph, timeout, pictures)


def rendered(
    runner: Any, graph: Mapping[str, Any], timeout: float, pictures: Sequence[dict[str, str]] = ()
) -> dict[str, Any]:
    """One graph in this container's ComfyUI."""
    from comfyui_runner import RunFailed  # noqa: PLC0415 - copied into the image

    began = time.monotonic()
    try:
        images = runner.render(dict(graph), timeout, pictures)
    except RunFailed as error:
        return {"error": error.words, "details": error.details}
    listed = [
        {"filename": name, "type": "base64", "data": base64.b64encode(content).decode()} for name, content in images
    ]
    return {"images": listed, "executionTime": round((time.monotonic() - began) * 1000)}


def job_of(answer: dict[str, Any]) -> dict[str, Any]:
    """RunPod's form of a call that has ended."""
    if "error" in answer:
        return {"status": "FAILED", "error": answer["error"], "output": {"details": answer.get("details") or []}}
    return {
        "status": "COMPLETED",
        "executionTime": answer.get("executionTime"),
        "output": {"images": answer["images"]},
    }


class ModalJobs:
    """Jobs are calls of `ComfyUI.render`; Modal keeps their results for seven days."""

    async def begin(self, graph: Mapping[str, Any], timeout: float, pictures: Sequence[dict[str, str]] = ()) -> str:
        """See web.py."""
        call = await ComfyUI().render.spawn.aio(dict(graph), min(timeout, LONGEST), list(pictures))
        return str(call.object_id)

    async def look(self, job_id: str) -> dict[str, Any] | None:
        """See web.py."""
        try:
            call = modal.FunctionCall.from_id(job_id)
            return job_of(await call.get.aio(timeout=0))
        except (TimeoutError, modal.exception.TimeoutError):
            has_begun = await begun.get.aio(job_id) is not None
            return {"status": "IN_PROGRESS" if has_begun else "IN_QUEUE"}
        except modal.exception.FunctionTimeoutError:
            return {"status": "TIMED_OUT"}
        except modal.exception.InputCancellation:
            return {"status": "CANCELLED"}
        except (modal.exception.NotFoundError, modal.exception.OutputExpiredError):
            return None
        except modal.exception.Error as error:
            # A container that died, for one: nothing of the photo.
            return {"status": "FAILED", "error": f"Modal: {type(error).__name__}: not reachable"}

    async def cancel(self, job_id: str) -> None:
        """See web.py."""
        await modal.FunctionCall.from_id(job_id).cancel.aio()


#: Replaced where the app is served without Modal (tests).
jobs: Any = ModalJobs()


@app.function(image=web_image, min_containers=1 if WARM else 0, scaledown_window=STAYS)
@modal.concurrent(max_inputs=100)
@modal.asgi_app(requires_proxy_auth=True)
def web() -> Any:
    """What Vitte's worker talks to; only with a proxy auth token of the workspace."""
    from web import application  # noqa: PLC0415 - copied into the image

    return application(jobs)
