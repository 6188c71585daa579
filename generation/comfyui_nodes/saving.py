"""Images for the worker to fetch: without the graph inside, and gone after an hour."""

import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import folder_paths
from PIL import Image

#: Seconds. The worker fetches an image within seconds, or never.
KEEP = 3600
#: Seconds for which a reference picture lies in the input folder; the worker brings it again when it is gone.
KEEP_REFERENCES = 30 * 86400


class VitteSaveImage:
    """Saves PNGs into ComfyUI's temp folder. SaveImage keeps them for ever, with all prompts inside."""

    RETURN_TYPES = ()
    FUNCTION = "save"
    OUTPUT_NODE = True
    CATEGORY = "vitte"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """ComfyUI asks for them."""
        return {"required": {"images": ("IMAGE",), "filename_prefix": ("STRING", {"default": "vitte"})}}

    def save(self, images: Any, filename_prefix: str) -> dict[str, Any]:
        """PNG files without the graph, in the temp folder; ComfyUI's own form of the answer."""
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_temp_directory(), images[0].shape[1], images[0].shape[0]
        )
        saved = []
        for number, image in enumerate(images, start=counter):
            file = f"{name}_{number:05}_.png"
            pixels = (image.cpu().numpy() * 255).clip(0, 255).astype("uint8")
            # Lossless in any case; the file lives for seconds on a local disk.
            Image.fromarray(pixels).save(Path(folder) / file, compress_level=1)
            saved.append({"filename": file, "subfolder": subfolder, "type": "temp"})
        return {"ui": {"images": saved}}


def start_forgetting() -> None:
    """From now on delete what the worker's prefix names: images after KEEP, reference pictures later."""

    def look() -> None:
        while True:
            time.sleep(KEEP / 6)
            _forget_old((Path(folder_paths.get_temp_directory()) / "vitte").rglob("*.png"), KEEP)
            _forget_old(Path(folder_paths.get_input_directory()).glob("vitte-*"), KEEP_REFERENCES)

    threading.Thread(target=look, name="vitte-forgetting", daemon=True).start()


def _forget_old(files: Iterable[Path], keep: float) -> None:
    for file in files:
        try:
            if file.stat().st_mtime < time.time() - keep:
                file.unlink()
        except OSError:  # another process was faster
            continue
