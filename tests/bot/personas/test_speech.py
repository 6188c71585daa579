"""What models wrap around their words never reaches a person, in whatever pieces it comes."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.personas.scene import Scene
from bot.personas.speech import machine_free, read, showable

NAMES = ("Alisa", "Алиса")
SCENE = {"place": "kitchen", "outfit": "apron", "action": "cooking", "visual": True, "asked": False}
THE_SCENE = Scene(place="kitchen", outfit="apron", action="cooking", visual=True, asked=False)
LINE = json.dumps(SCENE)
RUSSIAN = '{"место": "kitchen", "одежда": "apron", "действие": "cooking", "видно": true, "просят": "нет"}'
TALK = (
    "Hi there! How was your day?",
    "Привет! Как прошёл день?",
    "*smiles* I was just thinking of you... are you home?",
    "Сижу на кухне 😊\nИ жду, когда закипит чайник.",
    "Ну вот, 5:30 утра — а я не сплю.",
)
SHAPES = {
    "own line": f"\n[scene] {LINE}",
    "same line": f" [scene] {LINE}",
    "next line": f"\n[scene]\n{LINE}",
    "bold": f"\n**[scene]** {LINE}",
    "heading": f"\n### Scene\n{LINE}",
    "heading and colon": f"\n## Scene: {LINE}",
    "word": f"\nScene: {LINE}",
    "tag": f"\n<scene>{LINE}</scene>",
    "tag below": f"\n<scene>\n{LINE}\n</scene>",
    "Russian marker": f"\n[сцена] {LINE}",
    "Russian keys": f"\n[сцена] {RUSSIAN}",
    "Russian word": f"\nСцена: {RUSSIAN}",
    "fence": f"\n```json\n{LINE}\n```",
    "fence and marker": f"\n[scene]\n```json\n{LINE}\n```",
    "no marker": f"\n{LINE}",
    "Python": f"\n[scene] {SCENE}",
    "Python without a marker": f"\n{SCENE}",
    "quote": f"\n> [scene] {LINE}",
    "lines": "\nplace: kitchen\noutfit: apron\naction: cooking\nvisual: true\nasked: false",
    "heading and lines": "\n### Scene\nplace: kitchen\noutfit: apron\naction: cooking\nvisual: yes\nasked: no",
    "bold lines": "\n**place:** kitchen\n**outfit:** apron\n**action:** cooking\n**visual:** true\n**asked:** no",
    "list": "\n- place: kitchen\n- outfit: apron\n- action: cooking\n- visual: true\n- asked: false",
    "twice": f"\n[scene] {LINE}\n[scene] {LINE}",
}
HEADS = {
    "thought": "<think>The user greets me.\nI answer [scene] kindly.</think>\n\n",
    "thinking": "<thinking>hm {}</thinking>",
    "Mistral's": "[THINK]Let me see.[/THINK]",
    "Kimi's": "◁think▷Let me see.◁/think▷",
    "gpt-oss": "<|channel|>analysis<|message|>They greet me.<|end|><|start|>assistant<|channel|>final<|message|>",
    "two thoughts": "<think>one</think><think>two</think>",
    "template": "<|im_start|>assistant\n",
    "Gemma's": "<start_of_turn>model\n",
    "label": "Alisa: ",
    "Russian label": "Алиса: ",
    "bold label": "**Alisa:** ",
    "role": "assistant: ",
    "tool": '<tool_call>{"name": "send_photo"}</tool_call>\n',
    "scene first": f"[scene] {LINE}\n",
    "scene first in its line": f"[scene] {LINE} ",
}
TAILS = {
    "ChatML": "<|im_end|>\n<|im_start|>user\nhello",
    "Llama's": "<|eot_id|>",
    "Mistral's": "</s>",
    "old Llama's": " [/INST] and more",
    "tool": '\n<tool_call>{"name": "x", "arguments": {}}</tool_call>',
    "open tool": '\n<tool_call>{"name": "x"',
    "talk of the person": "\nUser: I am fine\nAlisa: good",
    "talk in Russian": "\nПользователь: хорошо\nАлиса: рада",
    "out of character": "\n(OOC: shall we go on?)",
    "double brackets": "\n((this is a test))",
    "cut marker": "\n[sce",
    "cut object": '\n[scene] {"place": "kit',
    "open thought": "\n<think>and now",
}


@pytest.mark.parametrize(("words", "shape"), list(itertools.product(TALK, SHAPES)))
def test_the_scene_is_found_in_every_shape(words: str, shape: str) -> None:
    speech = read(words + SHAPES[shape], names=NAMES)
    assert speech.words == words
    assert speech.scene == THE_SCENE


@pytest.mark.parametrize(("words", "head"), list(itertools.product(TALK, HEADS)))
def test_what_stands_before_the_words_is_left_out(words: str, head: str) -> None:
    assert read(HEADS[head] + words, names=NAMES).words == words


@pytest.mark.parametrize(("words", "tail"), list(itertools.product(TALK, TAILS)))
def test_what_stands_behind_the_words_is_left_out(words: str, tail: str) -> None:
    assert read(words + TAILS[tail], names=NAMES).words == words
    assert read(words + SHAPES["own line"] + TAILS[tail], names=NAMES).scene is not None


@pytest.mark.parametrize(
    ("head", "shape", "tail"), list(itertools.product(HEADS, SHAPES, ("ChatML", "open tool", "cut marker")))
)
def test_all_at_once(head: str, shape: str, tail: str) -> None:
    speech = read(HEADS[head] + TALK[0] + SHAPES[shape] + TAILS[tail], names=NAMES)
    assert speech.words == TALK[0]
    assert speech.scene == THE_SCENE


@pytest.mark.parametrize("words", TALK)
@pytest.mark.parametrize("key", ["reply", "text", "ответ"])
def test_an_object_instead_of_words(words: str, key: str) -> None:
    for whole in (
        json.dumps({key: words, "scene": SCENE}),
        json.dumps({key: words, "scene": SCENE}, ensure_ascii=False, indent=2),
        "```json\n" + json.dumps({"scene": SCENE, key: words}) + "\n```",
        str({key: words, "scene": SCENE}),
        json.dumps({key: words, **SCENE}),
    ):
        assert read(whole) == (read(f"{words}\n[scene] {LINE}")), whole


def test_words_on_both_sides_of_the_line_are_kept() -> None:
    assert read(f"First words.\n[scene] {LINE}\nSecond words.").words == "First words.\nSecond words."
    assert read(f"First words. [scene] {LINE} Second words.").words == "First words.\nSecond words."
    assert read(f"[scene] {LINE}\nПривет!").words == "Привет!"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("I greet them warmly.</think>Hello!", "Hello!"),
        ("<think>never ends", ""),
        ("As an AI language model, I cannot meet you. But tell me more!", "But tell me more!"),
        ("Как языковая модель, я не могу этого чувствовать.", ""),
        ("Привет! 今天天气很好 Как ты?", "Привет! Как ты?"),
        ("Hello! Bye.\nHuman: and then?", "Hello! Bye."),
    ],
)
def test_other_machinery(raw: str, words: str) -> None:
    assert read(raw, names=NAMES).words == words


@pytest.mark.parametrize(
    "words",
    [
        "What a scene that was! She said {nothing}.",
        "Сцена была пустой: никто не пришёл.",
        "Alisa is my name, as you know.",
        "Место: тайна 🙂",
        "I love you <3 and [your] smile (really)",
        "Смотри: завтра в 7 у метро?",
        "The user of that phone: my sister",
        "こんにちは! 元気ですか",
        "Я думаю, мысль хорошая: <пойдём>?",
        "As an artist, I paint. As a friend, I listen.",
        "שלום right to left",
        "<b>bold</b> & *stars* `code`",
        "Say it in Chinese: 你好",
    ],
)
def test_words_that_look_like_machinery_stay(words: str) -> None:
    assert read(words, names=NAMES).words == words


PARTS = st.sampled_from([*TALK, *SHAPES.values(), *HEADS.values(), *TAILS.values(), " ", "\n", "{", "[", "<"])
NEVER = ("[scene", "[сцена", '"place"', "place:", "<|", "think>", "tool_call", "OOC", "User:", "```", "### ")


@given(st.sampled_from(list(HEADS.values())), st.sampled_from(TALK), st.sampled_from(list(SHAPES.values())),
       st.sampled_from(["", *TAILS.values()]), st.integers(0, 400))  # fmt: skip
def test_no_part_of_an_answer_shows_machinery(head: str, words: str, shape: str, tail: str, length: int) -> None:
    raw = head + words + shape + tail
    shown = showable(raw[:length], NAMES)
    assert not any(sign in shown for sign in NEVER)
    assert read(raw, names=NAMES).words.startswith(shown)


@given(st.lists(PARTS, max_size=6).map("".join))
def test_nothing_breaks_it_and_reading_twice_changes_nothing(raw: str) -> None:
    words = read(raw, names=NAMES).words
    assert not any(sign in words for sign in ("<|", "think>", "tool_call"))
    assert len(showable(raw, NAMES)) <= len(raw)


@given(st.text(max_size=300))
def test_any_text_is_read(raw: str) -> None:
    read(raw, names=NAMES)
    showable(raw)


@pytest.mark.parametrize(
    "evil", ["<think>" * 3000, "[scene] " * 2500, "{" * 19_000, '{"place":' * 2000, "((" * 9000, "**[" * 6000]
)
def test_no_text_makes_it_slow(evil: str) -> None:
    read(evil, names=NAMES)
    showable(evil, NAMES)


def test_a_list_of_facts_is_read_without_the_thought_before_it() -> None:
    assert machine_free('<think>[1]</think>["Works as a nurse"]<|im_end|>') == '["Works as a nurse"]'
