"""A classifier over finished pictures: any ONNX file, and a TOML file that says what is what in it. CPU work."""

import importlib.util
import io
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import onnxruntime
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

#: The descriptions that are shipped; a setting names one of them or the path of another.
FOLDER = Path(__file__).parent / "classifiers"

Limit = Annotated[float, Field(gt=0, le=1)]
Side = Annotated[int, Field(ge=16, le=2048)]


class ClassifierError(Exception):
    """The description or its model cannot be used; the words say why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(_Part):
    """How a picture becomes numbers: resized, cut, (value - mean) * scale. Sides in pixels."""

    resize: Side
    #: The middle of so many pixels that is cut out; all of it by default.
    crop: Side | None = None
    #: Filled up to a square at the right or at the bottom, instead of stretched.
    keep_shape: bool = False
    channels: Literal["RGB", "BGR"] = "RGB"
    #: Of 255, for each channel in that order.
    mean: tuple[float, float, float] = (0, 0, 0)
    scale: float | tuple[float, float, float] = 1


class Description(_Part):
    """The TOML file of a classifier."""

    #: The model file, in the folder of an installed package or else beside the TOML file.
    file: str
    package: str = ""
    #: What the columns of the model's output mean.
    labels: list[str]
    #: "probabilities" and "logits": one row; "boxes": YOLO's, four rows of coordinates over one for each label.
    output: Literal["probabilities", "logits", "boxes"] = "probabilities"
    input: Input
    #: Scores from which a picture shows nakedness; and those from which there is a face, where it can tell.
    naked: dict[str, Limit]
    face: dict[str, Limit] = {}

    @model_validator(mode="after")
    def _limits_are_of_labels(self) -> Self:
        if unknown := {*self.naked, *self.face} - set(self.labels):
            raise ValueError(f"no such label: {', '.join(sorted(unknown))}")
        return self


class Findings(_Part):
    """What a picture shows; `face` is None where the classifier does not know faces."""

    naked: bool
    face: bool | None
    #: Each label's score from 0 to 1.
    scores: dict[str, float]


class Classifier:
    """One model, for the life of the process. One picture at a time."""

    def __init__(self, name: str) -> None:
        """`name` is a shipped description's or the path of a TOML file. Raises ClassifierError."""
        path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
        self._description = _read(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                _model(self._description, path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises a class of its own for each kind of broken file
            raise ClassifierError(f"{self._description.file} is no model for onnxruntime: {error}") from error
        first = self._session.get_inputs()[0]
        self._input = first.name
        self._channels_last = list(first.shape)[-1] == 3
        # A model that does not fit its description is found at the start and not at the first photo.
        self.look_at(Image.new("RGB", (64, 64)))

    def look_at(self, picture: Image.Image) -> Findings:
        """What it shows. Raises ClassifierError when the model's output is not what the description says."""
        described = self._description
        try:
            raw = np.asarray(self._session.run(None, {self._input: self._numbers(picture)})[0])[0]
        except Exception as error:
            raise ClassifierError(f"{described.file} does not take what its description says: {error}") from error
        rows = raw[4:].max(axis=1) if described.output == "boxes" and raw.ndim == 2 else raw
        if rows.shape != (len(described.labels),):
            raise ClassifierError(f"{described.file} gives {raw.shape} for {len(described.labels)} labels")
        if described.output == "logits":
            powers = np.exp(rows - rows.max())
            rows = powers / powers.sum()
        scores = dict(zip(described.labels, map(float, rows), strict=True))
        return Findings(
            naked=_over(scores, described.naked),
            face=_over(scores, described.face) if described.face else None,
            scores=scores,
        )

    def _numbers(self, picture: Image.Image) -> np.ndarray:
        how = self._description.input
        if how.keep_shape:
            side = max(picture.size)
            square = Image.new("RGB", (side, side))
            square.paste(picture)
            picture = square
        picture = picture.convert("RGB").resize((how.resize, how.resize), Image.Resampling.BILINEAR)
        if how.crop:
            edge = (how.resize - how.crop) // 2
            picture = picture.crop((edge, edge, edge + how.crop, edge + how.crop))
        pixels = np.asarray(picture, dtype=np.float32)
        if how.channels == "BGR":
            pixels = pixels[:, :, ::-1]
        pixels = (pixels - np.asarray(how.mean, np.float32)) * np.asarray(how.scale, np.float32)
        return np.ascontiguousarray(pixels if self._channels_last else pixels.transpose(2, 0, 1))[None]


def _read(path: Path) -> Description:
    try:
        return Description.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ClassifierError(f"there is no classifier {path.stem!r} ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ClassifierError(f"{path.name} is no TOML file: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ClassifierError(f"{path.name}: {where} {first['msg']}".replace(":  ", ": ")) from None


def _model(described: Description, path: Path) -> str:
    if not described.package:
        return str(path.parent / described.file)
    # Found and not imported: a package may bring a hundred megabytes that only its own code needs.
    found = importlib.util.find_spec(described.package)
    if found is None or not found.submodule_search_locations:
        raise ClassifierError(f"the package {described.package} is not installed")
    return str(Path(found.submodule_search_locations[0]) / described.file)


def _over(scores: dict[str, float], limits: dict[str, float]) -> bool:
    return any(scores[label] >= limit for label, limit in limits.items())


_loaded: Classifier | ClassifierError = ClassifierError("nothing is loaded")


def load(name: str) -> None:
    """Begin a process that looks at pictures; `check` tells what is wrong, since Pebble would only try again."""
    global _loaded  # noqa: PLW0603 - one classifier is what this process is for
    try:
        _loaded = Classifier(name)
    except ClassifierError as error:
        _loaded = error


def ready() -> Classifier:
    """The classifier of this process. Raises ClassifierError when `load` could not have it."""
    if isinstance(_loaded, ClassifierError):
        raise _loaded
    return _loaded


def check() -> None:
    """Whether `load` went well. Raises ClassifierError."""
    ready()


def look_at(image: bytes) -> Findings:
    """What an image file shows, in a process that `load` began. Raises ClassifierError."""
    with Image.open(io.BytesIO(image)) as picture:
        return ready().look_at(picture)
