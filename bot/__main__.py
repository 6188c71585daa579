"""`python -m bot` runs the bot; `python -m bot check-data` validates personas, stories and workflows.

`python -m bot prometheus-rules` prints the alert rules as a rule file of Prometheus.
"""

import asyncio
import os
import sys

from bot import app, check_data, figures
from bot.settings import Settings
from generation.runtime.monitoring import alert_rules
from generation.settings import load


def main(arguments: list[str]) -> int | str:
    match arguments:
        case []:
            asyncio.run(app.main(load(Settings)))
            return 0
        case ["check-data"]:
            return check_data.main()
        case ["prometheus-rules"]:
            print(
                alert_rules.prometheus(alert_rules.load(os.environ.get("ALERTS_FILE", "")), figures.FIGURES), end=""
            )
            return 0
    return "usage: python -m bot [check-data | prometheus-rules]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
