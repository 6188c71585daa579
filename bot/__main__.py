"""`python -m bot` runs the bot; `python -m bot check-data` validates personas, stories and workflows."""

import asyncio
import sys

from bot import app, check_data
from bot.settings import Settings
from generation.settings import load


def main(arguments: list[str]) -> int | str:
    match arguments:
        case []:
            asyncio.run(app.main(load(Settings)))
            return 0
        case ["check-data"]:
            return check_data.main()
    return "usage: python -m bot [check-data]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
