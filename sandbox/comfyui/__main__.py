"""`python -m sandbox.comfyui [PORT]`: the stand-in alone, for trying a client against it."""

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from sandbox.comfyui import ComfyUIServer


async def main(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with ComfyUIServer(Path(folder), port=port) as server:
            print(f"ComfyUI stand-in at {server.url}; Ctrl-C stops it.")
            await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8188))
