"""`python -m bot` runs the bot; `python -m bot --help` lists the other commands."""

import argparse
import asyncio
import os
import sys

from bot import app, check_data, portrait, supervisor
from bot.doctor import command as doctor
from bot.monitoring import figures
from bot.settings import Settings
from generation.runtime.monitoring import alert_rules
from generation.runtime.monitoring.build import version
from generation.runtime.settings import load


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` name; the exit status."""
    given = _parser().parse_args(arguments)
    match given.command:
        case "check-data":
            return check_data.main()
        case "doctor":
            return asyncio.run(doctor.main(pictures=not given.quick))
        case "portrait":
            return portrait.main(given.persona, count=given.count, pick=given.pick)
        case "prometheus-rules":
            rules = alert_rules.load(os.environ.get("ALERTS_FILE", ""), figures.FIGURES)
            sys.stdout.write(alert_rules.prometheus(rules, figures.FIGURES))
        case command:
            settings, receives = load(Settings), command != "handle"
            if settings.bot_processes > 1:
                asyncio.run(supervisor.main(settings, receives=receives))
            else:
                asyncio.run(app.main(settings, receives=receives, parent=getattr(given, "parent", None)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="The Telegram bot. Without a command it runs, as BOT_PROCESSES says in several processes.",
    )
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(dest="command", title="commands")
    commands.add_parser(
        "check-data", help="validate personas, stories and workflows, also against the ComfyUI at COMFYUI_URL"
    )
    looks = commands.add_parser(
        "doctor", help="look at all that the product needs, in order, and say what to do about it"
    )
    looks.add_argument("--quick", action="store_true", help="render no tiny pictures")
    commands.add_parser("prometheus-rules", help="print the alert rules as a rule file of Prometheus")
    her = commands.add_parser(
        "portrait", help="render candidates for a persona's portrait at COMFYUI_URL, or --pick one of them"
    )
    her.add_argument("persona", help="the name of her file without its ending, such as alisa")
    her.add_argument("--count", type=int, default=portrait.COUNT, help="candidates to make")
    her.add_argument("--pick", type=int, metavar="NUMBER", help="the candidate that becomes her portrait")
    handle = commands.add_parser(
        "handle",
        help="answer people on one more machine, while the bot on another one takes the updates",
    )
    # Of the process that started this one; it ends with that.
    handle.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
