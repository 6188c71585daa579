"""ComfyUI as a Cog model, for Replicate: a graph as JSON goes in, the pictures that it saves come out."""

import json
import os
import pathlib
import tempfile

from cog import BaseModel, BasePredictor, Input, Path
from comfyui_runner import RunFailed, Runner

#: Where a ComfyUI runs already; empty in the image, which starts its own.
RUNNING = os.environ.get("VITTE_COMFYUI_URL", "")
COMMAND = (
    "python", "/ComfyUI/main.py", "--listen", "127.0.0.1", "--port", "8188",
    "--disable-metadata", "--disable-api-nodes",
)  # fmt: skip


class Output(BaseModel):
    """Pictures, and the names that ComfyUI gave them, in the same order."""

    files: list[str]
    images: list[Path]


class Predictor(BasePredictor):
    """One ComfyUI with the weights of the image."""

    def setup(self) -> None:
        """Start ComfyUI; a prediction waits for that."""
        self.runner = Runner(RUNNING or "http://127.0.0.1:8188")
        if RUNNING:
            self.runner.wait_until_up()
        else:
            self.runner.start(COMMAND)

    def predict(
        self,
        workflow: str = Input(description="A ComfyUI graph in API format, as JSON."),
        images: str = Input(
            description="Pictures that its LoadImage nodes name: a JSON list of {name, image in Base64}.",
            default="[]",
        ),
        timeout: int = Input(description="Seconds that it may render.", default=300, ge=1, le=3600),
    ) -> Output:
        """Render it. What went wrong is the prediction's error, in worker-comfyui's sentences."""
        try:
            graph, pictures = json.loads(workflow), json.loads(images)
        except ValueError:
            raise RunFailed("Invalid JSON in the workflow") from None
        if not isinstance(graph, dict) or not graph:
            raise RunFailed("Missing 'workflow' parameter")
        made = self.runner.render(graph, timeout, pictures)
        folder = pathlib.Path(tempfile.mkdtemp())
        paths = []
        for number, image in enumerate(made):
            path = folder / f"{number}.png"
            path.write_bytes(image.content)
            paths.append(Path(path))
        return Output(files=[image.filename for image in made], images=paths)
