"""`python -m sandbox.comfyui [PORT]`: the stand-in alone, for trying a client against it."""

import argparse
import asyncio
import contextlib
import tempfile
from pathlib import Path

from sandbox.comfyui import ComfyUIServer


async def main(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with ComfyUIServer(Path(folder), port=port) as server:
            print(f"ComfyUI stand-in at {server.url}; Ctrl-C stops it.")
            await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m sandbox.comfyui", description=__doc__)
    parser.add_argument("port", nargs="?", type=int, default=8188)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args().port))
