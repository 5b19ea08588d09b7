"""What can be wrong with data that a user brings, each told in one line: the cause, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.core.errors import BadInput, tell
from benchmarks.data.stored import Samples, Stored, parts
from benchmarks.data.wordpieces import PAD, UNKNOWN

_MANY_CLASSES = 0.5  # different labels a sample from which on a column of labels is more likely one of numbers


def listed(numbers: np.ndarray | Sequence[Any], most: int = 5) -> str:
    """The first few of many, as people read them."""
    more = ", ..." if len(numbers) > most else ""
    return ", ".join(str(one) for one in numbers[:most]) + more


def as_array(given: Any, what: str) -> Any:
    """Samples as one array, or where they are. Raises ValueError where they differ in shape."""
    if isinstance(given, Stored):
        return given
    try:
        found = np.asarray(given)
    except ValueError as error:
        shapes = {np.shape(one) for one in given}
        raise ValueError(
            f"{what} differ in shape ({listed(sorted(shapes))}); make them alike, as resizing does"
        ) from error
    if found.dtype == object and found.ndim and not all(isinstance(one, str) for one in found.ravel()):
        kinds = {type(one).__name__ for one in found.ravel()}
        raise ValueError(f"{what} hold {listed(sorted(kinds))}; numbers of one kind or strings are needed")
    return found.astype(str) if found.dtype == object else found


def arrays_of(given: Any, name: str) -> dict[str, np.ndarray]:
    """Training and test inputs and labels of what a task's `data` gives. Raises ValueError where they do not fit."""
    needed = ("train_inputs", "train_labels", "test_inputs", "test_labels")
    if not isinstance(given, dict):
        raise ValueError(f"{name}: data() must give a dict of arrays or Examples, not {type(given).__name__}")
    if absent := [part for part in needed if part not in given]:
        raise ValueError(f"{name}: data() gives no {', '.join(absent)}")
    if unknown := sorted(given.keys() - {*needed, "unlabelled", "validation", "class_names", "vocabulary"}):
        raise ValueError(f"{name}: data() gives {', '.join(unknown)}, which nothing reads")
    arrays = {part: as_array(given[part], f"{name}: {part}") for part in needed}
    for part in ("train", "test"):
        inputs, labels = arrays[f"{part}_inputs"], arrays[f"{part}_labels"]
        if len(inputs) != len(labels):
            raise ValueError(f"{name}: {len(inputs)} {part} inputs, {len(labels)} labels")
        if not len(labels):
            raise ValueError(f"{name}: there are no {part} samples")
    return arrays


def numbered(
    labels: np.ndarray, tested: np.ndarray, names: Sequence[Any] | None, name: str
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names of the classes, and training and test labels as their numbers; labels that are words are the names.

    Raises:
        ValueError: labels that are neither words nor whole numbers, or that `names` does not have.
    """
    both = np.concatenate([labels.ravel(), tested.ravel()]) if labels.dtype.kind == tested.dtype.kind else None
    if both is None or labels.ndim != 1 or tested.ndim != 1:
        raise ValueError(
            f"{name}: training labels are {labels.dtype} of shape {labels.shape}, test labels {tested.dtype} of shape "
            f"{tested.shape}; one whole number or one word for each sample is needed"
        )
    if both.dtype.kind in "US":
        known = [str(one) for one in (names if names is not None else np.unique(both))]
        if absent := sorted({str(one) for one in both} - set(known)):
            raise ValueError(f"{name}: class_names lacks {listed(absent)}")
        number = {word: i for i, word in enumerate(known)}
        as_numbers = [np.array([number[str(one)] for one in side], np.int64) for side in (labels, tested)]
        return tuple(known), as_numbers[0], as_numbers[1]
    if both.dtype.kind not in "iub" and not (both.dtype.kind == "f" and (both == np.round(both)).all()):
        raise ValueError(
            f"{name}: labels must be whole numbers or words, not {listed(both[both != np.round(both)], 3)}"
        )
    found = tuple(str(one) for one in names) if names is not None else tuple(map(str, range(int(both.max()) + 1)))
    return found, labels.astype(np.int64), tested.astype(np.int64)


def of_inputs(inputs: Mapping[str, Samples], domain: str) -> str:
    """Why inputs (N, ...) of one or more sides cannot serve; empty where they can."""
    shapes = {side: found.shape[1:] for side, found in inputs.items()}
    if len(set(shapes.values())) > 1:
        return "inputs differ in shape: " + ", ".join(f"{side} {shape}" for side, shape in shapes.items())
    for side, found in inputs.items():
        if found.dtype.kind not in "iufb":
            return f"{side} inputs are {found.dtype}, not numbers"
        if domain == "image" and found.ndim != 4:
            return f"images must be (N, channels, height, width), not {found.shape}"
        if domain == "image" and found.shape[1] not in (1, 3) and found.shape[3] in (1, 3):
            return f"images are {found.shape}: channels come second; transpose(0, 3, 1, 2) brings them there"
        if domain == "image" and found.dtype == np.uint8:
            continue
        first = 0
        for part in parts(found):
            if told := _of_values(part, side, domain, first):
                return told
            first += len(part)
    return ""


def _of_values(found: np.ndarray, side: str, domain: str, first: int) -> str:
    """As `of_inputs`, of a part (N, ...) of a side that begins with its sample `first`."""
    rows = found.reshape(len(found), -1)
    if found.dtype.kind == "f" and len(wrong := first + np.flatnonzero(~np.isfinite(rows).all(1))):
        return f"{side} inputs hold NaN or infinity in {len(wrong)} samples ({listed(wrong)}); fill or leave them out"
    if domain == "image" and not (found.dtype.kind == "f" and found.min() >= 0 and found.max() <= 1):
        span = f"{found.dtype} from {found.min():g} to {found.max():g}"
        return f"{side} images are {span}; give bytes (uint8), or floats in [0, 1]"
    if domain in ("text", "retrieval") and len(wrong := first + np.flatnonzero(~rows.any(1))):
        return f"{len(wrong)} {side} texts are empty ({listed(wrong)}); leave them out"
    return ""


def of_labels(labels: np.ndarray, validation: np.ndarray, tested: np.ndarray, names: Sequence[str]) -> str:
    """Why labels of the pool (N,) and of the test samples (M,) cannot serve; empty where they can."""
    for side, found in (("train", labels), ("test", tested)):
        if not (found.min() >= 0 and found.max() < len(names)):
            return f"{side}_labels must lie between 0 and {len(names) - 1}, not {found.min()}..{found.max()}"
    if len(validation) and not (validation.min() >= 0 and validation.max() < len(labels)):
        return f"validation must hold indices of the {len(labels)} training samples, not {validation.max()}"
    if len(validation) >= len(labels):
        return "the validation samples leave nothing to train on"
    if not len(validation):
        return "there are no validation samples, which choose hyper-parameters: set a tenth apart"
    if len(names) < 2:
        return f"all samples are of one class, {names[0]!r}; two are the fewest that can be told apart"
    if len(names) > _MANY_CLASSES * len(labels):
        return f"{len(names)} classes for {len(labels)} training samples; is the label a number rather than a class?"
    sides = {"training": np.delete(labels, validation), "test": tested}
    for side, found in sides.items():
        if len(absent := np.flatnonzero(np.bincount(found, minlength=len(names)) == 0)):
            told = listed([repr(names[int(label)]) for label in absent])
            return f"no {side} samples of class {told}; add some, or leave the class out of both sides"
    return ""


def of_overlap(train: Samples, test: Samples, tokens: bool = False) -> str:
    """Whether test inputs are among the training inputs (with those for validation); empty where none is.

    Args:
        tokens: of texts, of which those that were cut or have an unknown word may look alike without being so.
    """
    there, tested = set(contents(train)), contents(test)
    seen = [i for i, row in enumerate(tested) if row in there]
    if tokens:
        words = np.asarray(test)
        seen = [i for i in seen if words[i, -1] == PAD and (words[i] != UNKNOWN).all()]
    if not seen:
        return ""
    count = len({tested[i] for i in seen})
    return f"{count} distinct inputs stand in both the training and the test data (test {listed(seen)}); leave them out"


def refuse(name: str, domain: str, found: Any) -> None:
    """Raises BadInput for `Examples` of which no table should be made; of others tells what a person should know."""
    inputs = {"training": found.pool_inputs, "test": found.test_inputs}
    if found.extra_unlabelled is not None:
        inputs["unlabelled"] = found.extra_unlabelled
    told = of_inputs(inputs, domain)
    if domain != "retrieval":
        told = told or of_labels(found.pool_labels, found.validation, found.test_labels, found.class_names)
        told = told or of_overlap(found.pool_inputs, found.test_inputs, tokens=found.vocabulary is not None)
    if told:
        raise BadInput(f"{name}: {told}")
    if found.vocabulary is None:
        for line in worth_knowing(found.pool_inputs):
            tell(f"{name}: {line}")


def contents(samples: Samples) -> list[int]:
    """A number for each sample (N, ...), the same of equal ones and another, as good as surely, of others."""
    return [hash(row.tobytes()) for part in parts(samples) for row in np.ascontiguousarray(part)]


def worth_knowing(inputs: Samples) -> Iterator[str]:
    """What does not make training inputs (N, ...) useless and yet should be known."""
    first = np.unique(contents(inputs), return_index=True)[1]
    if len(again := np.setdiff1d(np.arange(len(inputs)), first)):
        yield f"{len(again)} training inputs repeat an earlier one ({listed(again)})"
    if inputs.dtype.kind == "f" and inputs.ndim == 2 and len(flat := np.flatnonzero(np.asarray(inputs).std(0) == 0)):
        yield f"{len(flat)} of {inputs.shape[1]} numbers are the same in all training samples ({listed(flat)})"
