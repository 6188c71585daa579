"""The trained detectors, their command line, and that what is shipped is what is trained."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from triggers.detection import evaluation, rows, training
from triggers.detection.detectors import SURE, Detectors, Task, load_heads
from triggers.detection.patterns import follows_up, promises_plainly, wishes_for_none
from triggers.model.features import MAX_LENGTH, MOST_WINDOWS, lexical, windows
from triggers.model.heads import Features, save

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return Detectors()


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Пришли, пожалуйста, фото", True),
        ("send me a selfie", True),
        ("покажись, соскучился", True),
        ("can I see your new haircut?", True),
        ("don't send me photos", False),
        ("Не присылай больше фотографий", False),
        ("вот моё фото с дачи", False),
        ("Привет! Как ты там?", False),
        ("Правильно. Чай?", False),
        ("Домой не пора?", False),
        ("покажи, как решать такие задачи", False),
        ("see you tomorrow", False),
    ],
)
def test_a_wish_for_a_photo_is_told_from_talk(detectors: Detectors, text: str, *, asks: bool) -> None:
    assert (detectors.request(text) > SURE) is asks


@pytest.mark.parametrize(
    ("text", "visual", "promise"),
    [
        ("Сижу на подоконнике в красном свитере, грею руки о кружку.", True, False),
        ("I'm on the balcony in a robe, coffee in hand, the street below is white.", True, False),
        ("Вчера на мне было платье, смешной вечер вышел.", False, False),
        ("What are you wearing today?", False, False),
        ("Держи селфи, только не смейся!", None, True),
        ("Here you go, just took this for you.", None, True),
        ("Как-нибудь пришлю, но не сегодня.", False, False),
        ("Держи хвост пистолетом, всё получится.", False, False),
        ("Однажды, в массовке. Держала поднос и три секунды смотрела в окно.", False, False),
    ],
)
def test_an_answer_is_told_from_others(
    detectors: Detectors, text: str, visual: bool | None, *, promise: bool
) -> None:
    shows, promises = detectors.reads(text)
    assert (promises > SURE) is promise
    assert visual is None or (shows > SURE) is visual


@pytest.mark.parametrize(
    "text",
    [
        "ещё одну", "а ещё?", "ещё разок пожалуйста", "с другого ракурса", "а сзади?", "повернись-ка", "ближе",
        "покрупнее", "теперь в полный рост", "а теперь спиной", "не видно лица", "а другую можно?", "улыбнись",
        "ну ещё парочку 🙏", "eshe odnu", "one more", "One more please!", "again", "another angle", "turn around",
        "and from behind?", "closer", "now full body", "zoom in pls", "from a different angle",
        "and the other side?", "can't see your face",
    ],
)  # fmt: skip
def test_a_follow_up_is_a_wish_after_a_photo_and_none_after_a_joke(detectors: Detectors, text: str) -> None:
    assert follows_up(text)
    assert detectors.request(text, after_photo=True) > SURE
    assert detectors.request(text) < SURE


@pytest.mark.parametrize(
    "text",
    [
        "ещё одну минуту, я сейчас",
        "повернись к окну, расскажу",
        "tell me more",
        "again with the jokes",
        "ближе к делу",
        "",
    ],
)
def test_words_around_it_make_it_talk(text: str) -> None:
    assert not follows_up(text)


def test_in_talk_as_people_talk_hardly_any_photo_is_imagined(detectors: Detectors) -> None:
    """Six dialogues that were never trained on, with as few wishes and promises as talk has.

    Seen when this was written: of 170 messages 1 false wish and none missed, of 172 answers 2 false promises,
    of 127 answers none that shows something by mistake, and 51 of 53 found.
    """
    talk = rows.read(Path(__file__).parents[1] / "data" / "dialogues.jsonl")
    judged = [(row, detectors.probability(row.task, row.text) > SURE) for row in talk]
    for task, false_ones, found in ((Task.REQUEST, 3, 0.9), (Task.PROMISE, 5, 0.5), (Task.VISUAL, 4, 0.9)):
        said = [(row.label, answer) for row, answer in judged if row.task is task]
        assert sum(answer and not label for label, answer in said) <= false_ones
        assert sum(answer and label for label, answer in said) >= found * sum(label for label, _ in said)


@pytest.mark.parametrize(
    ("text", "promises"),
    [
        ("I'll send you a photo right now.", True),
        ("Sending you a photo now!", True),
        ("Хочешь фото? Сейчас пришлю.", True),
        ("Лови снимок: желтки целые, помидоры чуть подгорели.", True),
        ("А погода тут хорошая. " * 40 + "А теперь держи селфи, только что сделала для тебя!", True),
        ("…", False),
        ("Секунду.", False),
        ("Look!", False),
        ("ok", False),
        ("Вот тебе и погода.", False),
        ("Я не пришлю тебе фото.", False),
        ("Мама прислала мне фото с дачи.", False),
    ],
)
def test_the_plainest_promises_are_heard_and_the_shortest_words_are_none(
    detectors: Detectors, text: str, *, promises: bool
) -> None:
    assert (detectors.reads(text)[1] > SURE) is promises


def test_what_leaves_nothing_to_guess_is_never_wrong() -> None:
    plain = [row for row in rows.of_task(rows.read_all(), Task.PROMISE) if promises_plainly(row.text)]
    assert len(plain) > 40
    assert all(row.label for row in plain)
    none = [row for row in rows.of_task(rows.read_all(), Task.REQUEST) if wishes_for_none(row.text)]
    assert len(none) > 30
    assert not any(row.label for row in none)


def test_any_text_has_an_answer(detectors: Detectors) -> None:
    for text in (
        "",
        " ",
        "\0",
        "👍",
        "a" * 5000,
        "слово " * 2000,
        "<b>x</b>",
        "\ud800".encode("utf-8", "replace").decode(),
    ):
        assert 0 <= detectors.probability(Task.VISUAL, text) <= 1


def test_a_long_text_is_read_from_both_ends_in_whole_sentences() -> None:
    text = " ".join(f"Sentence number {number} says little." for number in range(200))
    pieces = windows(text)
    assert len(pieces) == MOST_WINDOWS
    assert pieces[0].startswith("Sentence number 0")
    assert pieces[-1].endswith("199 says little.")
    assert all(len(piece) <= MAX_LENGTH for piece in pieces)
    assert "".join(windows("x" * 900)) == "x" * 900


def test_the_same_text_always_has_the_same_features() -> None:
    places, weights = lexical("Сижу у окна, I'm here")
    again = lexical("Сижу у окна, I'm here")
    assert np.array_equal(places, again[0])
    assert np.array_equal(weights, again[1])
    assert lexical("x" * MAX_LENGTH)[0].tolist() == lexical("x" * (MAX_LENGTH + 9))[0].tolist()


def test_training_learns_and_what_is_stored_answers_alike(tmp_path: Path) -> None:
    learnt = [
        rows.Row(task=task, text=f"{word} {number}", label=word == "yes")
        for task in Task
        for word in ("yes", "no")
        for number in range(20)
    ]
    features = [Features(np.zeros(384, np.float32), lexical(row.text)) for row in learnt]
    heads = training.train(learnt, features)
    save(tmp_path / "weights.npz", heads)
    for stored in (heads, load_heads(tmp_path / "weights.npz")):
        said = [stored[row.task].probability(each) > 0.5 for row, each in zip(learnt, features, strict=True)]
        assert said == [row.label for row in learnt]


def test_a_report_counts_what_is_right() -> None:
    def judged(label: bool, probability: float, lang: str = "ru") -> evaluation.Judged:
        return evaluation.Judged(rows.Row(task=Task.VISUAL, lang=lang, text="x", label=label), probability)

    report = evaluation.report(
        [judged(True, 0.9), judged(True, 0.2), judged(False, 0.8), judged(False, 0.1, "en")], []
    )
    whole, english, russian = report.scores
    assert (whole.lang, english.lang, russian.lang) == ("all", "en", "ru")
    assert (whole.precision, whole.recall, whole.f1) == (0.5, 0.5, 0.5)
    assert english.f1 == 0
    assert len(report.mistakes) == 2


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "triggers", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_eval_prints_the_same_figures_for_people_and_for_programs(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    lines = [
        {"task": "request", "lang": "en", "text": "send me a selfie", "label": True, "kind": "ask"},
        {"task": "request", "lang": "ru", "text": "Как прошёл твой день?", "label": False},
        # Labelled wrongly on purpose: it must be among the mistakes.
        {"task": "promise", "lang": "en", "text": "Good night, sleep well.", "label": True, "kind": "odd"},
    ]
    file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    for_programs = json.loads(_command("eval", str(file), "--json").stdout)
    for_people = _command("eval", str(file)).stdout
    request = next(it for it in for_programs["scores"] if (it["task"], it["lang"]) == ("request", "all"))
    assert (request["rows"], request["f1"]) == (2, 1.0)
    assert [mistake["text"] for mistake in for_programs["mistakes"]] == ["Good night, sleep well."]
    assert for_programs["milliseconds"]["p95"] > 0
    assert "request  all        2      1.000   1.000  1.000" in for_people
    assert "missed" in for_people


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{}", "rows.jsonl:1: not a labelled row"),
        ("nonsense", "rows.jsonl:1"),
        ("", "has no rows"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_file_is_named_in_a_sentence(tmp_path: Path, content: str | None, complaint: str) -> None:
    file = tmp_path / "rows.jsonl"
    if content is not None:
        file.write_text(content)
    ended = _command("eval", str(file))
    assert ended.returncode != 0
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_every_row_can_be_read_and_both_labels_occur_for_each_task_and_language() -> None:
    every = rows.read_all()
    for task in Task:
        of_task = rows.of_task(every, task)
        assert {(row.lang, row.label) for row in of_task} == {
            (lang, label) for lang in ("ru", "en") for label in (True, False)
        }
