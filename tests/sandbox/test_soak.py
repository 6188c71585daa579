"""The soak's account: what counts as lost, and what as out of order."""

import random

from sandbox.soak import FIRST_PERSON, Echo, Soak
from sandbox.telegram import TelegramServer
from sandbox.telegram.server import ME


def answered(telegram: TelegramServer, person: int, *answers: tuple[int, ...]) -> None:
    for numbers in answers:
        asked = [{"role": "user", "content": f"and here comes number {number}"} for number in numbers]
        text = Echo().reply([{"role": "assistant", "content": "number 0"}, *asked]).text
        telegram.store.add_message({"id": person, "type": "private"}, ME, {"text": text})


def test_a_number_that_no_answer_names_is_lost(telegram: TelegramServer) -> None:
    soak = Soak(telegram, 3, random.Random(1))
    soak.sent.update({FIRST_PERSON: 3, FIRST_PERSON + 1: 3, FIRST_PERSON + 2: 1})
    answered(telegram, FIRST_PERSON, (1,), (2, 3))
    answered(telegram, FIRST_PERSON + 1, (1,), (3,))
    assert soak.unanswered() == 2
    assert soak.out_of_order() == 0


def test_a_number_that_falls_or_comes_again_is_out_of_order(telegram: TelegramServer) -> None:
    soak = Soak(telegram, 2, random.Random(1))
    answered(telegram, FIRST_PERSON, (1,), (3,), (2,), (2,))
    answered(telegram, FIRST_PERSON + 1, (1, 2))
    assert soak.out_of_order() == 2
    assert soak.answers() == 5
