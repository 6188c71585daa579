"""`python -m bot`"""

import asyncio

from bot.app import main
from bot.settings import Settings
from generation.settings import load

if __name__ == "__main__":
    asyncio.run(main(load(Settings)))
