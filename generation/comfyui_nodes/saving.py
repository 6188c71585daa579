"""Images for the worker to fetch: without the graph inside, and gone after an hour."""

import threading
import time
from pathlib import Path
from typing import Any

import folder_paths
from PIL import Image

#: Seconds. The worker fetches an image within seconds, or never.
KEEP = 3600


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
    """From now on delete files that are older than KEEP, where the worker's prefix puts them."""

    def look() -> None:
        while True:
            time.sleep(KEEP / 6)
            _forget_old(Path(folder_paths.get_temp_directory()) / "vitte")

    threading.Thread(target=look, name="vitte-forgetting", daemon=True).start()


def _forget_old(folder: Path) -> None:
    for file in folder.rglob("*.png"):
        try:
            if file.stat().st_mtime < time.time() - KEEP:
                file.unlink()
        except OSError:  # another process was faster
            continue
