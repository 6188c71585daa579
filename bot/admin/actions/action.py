"""What an action of an operator is: its name, whether it is asked twice, the page that shows what it changed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.admin.tools import AdminTools
from bot.texts import Say


@dataclass(frozen=True, slots=True)
class Done:
    """It happened, or had happened before. `words` are for the operator who pressed."""

    words: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It did not happen, and the log says so. `words` say why."""

    words: str


Result = Done | Refused
Perform = Callable[[AdminTools, str, Say], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that an operator can do; `perform` gets the target that a button or a command names."""

    perform: Perform
    #: Asked twice, because it cannot be taken back or people notice.
    danger: bool = False
    #: The panel's page that is shown again afterwards.
    page: str = ""

    @property
    def name(self) -> str:
        """What callback data and the log call it: the function's name."""
        return self.perform.__name__


def action(*, danger: bool = False, page: str = "") -> Callable[[Perform], Action]:
    """Declare an action where it is written; `bot.admin.actions.registry` gathers them."""
    return lambda perform: Action(perform, danger=danger, page=page)
