"""A user's data as they are: tables and folders read, copies left out, validation and test samples set apart."""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.core.errors import BadInput, tell
from benchmarks.core.fingerprint import seed_of
from benchmarks.data.checks import listed
from benchmarks.data.splits import TEST, VALIDATION

ROW = "row "  # counted from 0
SIDE = "_side"  # the column that says which side a sample stands on, where the data come with sides
SIDES = {
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("validation", "valid", "val", "dev"), 1),
    **dict.fromkeys(("test", "testing"), 2),
}
READERS: dict[str, Callable[..., pd.DataFrame]] = {
    ".csv": pd.read_csv,
    ".tsv": lambda path: pd.read_csv(path, sep="\t"),
    ".parquet": pd.read_parquet,
    ".jsonl": lambda path: pd.read_json(path, lines=True),
}
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")


def read(path: Path) -> pd.DataFrame:
    """A table from a file, from a data set of `datasets` saved to a folder, or from a folder of images by class.

    Raises:
        BadInput: there is no such file, or it is none of these.
    """
    if not path.exists():
        raise BadInput(f"there is no {path}")
    try:
        if path.is_dir():
            saved = any((path / name).exists() for name in ("dataset_info.json", "state.json", "dataset_dict.json"))
            return _saved(path) if saved else _folder(path)
        if path.suffix == ".npz":
            return _arrays(path)
        if path.suffix not in READERS:
            raise BadInput(
                f"{path}: {path.suffix or 'no ending'} is not read; {', '.join(READERS)}, .npz and folders are"
            )
        return READERS[path.suffix](path)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {(str(error).splitlines() or [''])[0]}") from error


def _saved(path: Path) -> pd.DataFrame:
    """What `save_to_disk` wrote; its splits are sides, its class labels are their names."""
    import datasets

    found = datasets.load_from_disk(str(path))
    parts = found if isinstance(found, dict) else {"": found}
    frames = []
    for name, part in parts.items():
        frame = part.to_pandas()
        for column, feature in part.features.items():
            if isinstance(feature, datasets.ClassLabel):
                frame[column] = [feature.int2str(int(label)) if label >= 0 else None for label in frame[column]]
        if name:
            frame[SIDE] = name
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _folder(path: Path) -> pd.DataFrame:
    """Images in CLASS/ or in SIDE/CLASS/: columns image (a path) and label."""
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGES)
    if not files:
        raise BadInput(f"{path} holds no images in folders by class, and no data set that `save_to_disk` wrote")
    if loose := [file.name for file in files if file.parent == path]:
        raise BadInput(f"{path}: {listed(loose)} lie in no folder that names their class")
    frame = pd.DataFrame({"image": [str(file) for file in files], "label": [file.parent.name for file in files]})
    tops = [file.relative_to(path).parts[0] for file in files]
    if all(top.lower() in SIDES for top in tops) and all(len(file.relative_to(path).parts) > 2 for file in files):
        frame[SIDE] = tops
    return frame


def _arrays(path: Path) -> pd.DataFrame:
    """`inputs` (N, D) and `labels` (N,) of an archive of numpy."""
    with np.load(path) as found:
        if absent := [name for name in ("inputs", "labels") if name not in found]:
            raise BadInput(f"{path} has no {' and no '.join(absent)}; it has {', '.join(found)}")
        inputs, labels = found["inputs"], found["labels"]
    if len(inputs) != len(labels):
        raise BadInput(f"{path}: {len(inputs)} inputs, {len(labels)} labels")
    frame = pd.DataFrame(inputs.reshape(len(inputs), -1)).add_prefix("number ")
    return frame.assign(label=labels)


def columns(frame: pd.DataFrame, wanted: Sequence[str], where: str) -> pd.DataFrame:
    """The table with rows that lack one of the wanted columns left out. Raises BadInput for an absent column."""
    for name in wanted:
        if name not in frame.columns:
            raise BadInput(
                f"{where} has no column {name!r}; it has {listed([c for c in frame.columns if c != SIDE], 20)}"
            )
    if not len(frame):
        raise BadInput(f"{where} has no rows")
    lacking = frame[list(wanted)].isna().any(axis=1).to_numpy()
    for name in wanted:
        if frame[name].dtype.kind not in "iufb":
            lacking = lacking | frame[name].map(lambda one: isinstance(one, str) and not one.strip()).to_numpy()
    if lacking.all():
        raise BadInput(f"{where}: each row lacks one of {', '.join(wanted)}")
    if lacking.any():
        tell(f"{where}: {lacking.sum()} rows lack {' or '.join(wanted)} and are left out ({rows(lacking)})")
    return frame[~lacking]


def rows(marked: np.ndarray) -> str:
    return f"{ROW}{listed(np.flatnonzero(marked))}"


def called(frame: pd.DataFrame, column: str) -> list[str]:
    """What a person knows each row by: its file where the column holds files, else its number."""
    files = column in frame.columns and all(isinstance(one, str) for one in frame[column])
    return [Path(one).name for one in frame[column]] if files else [f"{ROW}{number}" for number in frame.index]


def classes(labels: pd.Series, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers of the classes (N,) and their names. Raises BadInput for what is no column of classes."""
    if labels.dtype.kind == "f":
        if len(broken := labels[labels != labels.round()]):
            raise BadInput(f"{where}: labels such as {broken.iloc[0]} are numbers; classes are words or whole numbers")
        labels = labels.astype(int)
    if not all(isinstance(one, str | int | bool | np.integer | np.bool_) for one in labels):
        kinds = sorted({type(one).__name__ for one in labels})
        raise BadInput(f"{where}: labels are {listed(kinds)}; classes are words or whole numbers")
    if labels.dtype.kind not in "iub":
        labels = labels.astype(str).str.strip()
    names, numbers = np.unique(labels.to_numpy(), return_inverse=True)
    if len(names) < 2:
        raise BadInput(f"{where}: all samples are of one class, {str(names[0])!r}; two are the fewest to tell apart")
    if len(names) > 0.5 * len(labels):
        raise BadInput(f"{where}: {len(names)} classes for {len(labels)} samples; is that column a class?")
    return numbers.astype(np.int64), tuple(map(str, names))


def given_sides(frame: pd.DataFrame, split: str, where: str) -> np.ndarray | None:
    """0 (training), 1 (validation), 2 (test) for each row, where the data say so. Raises BadInput for another word."""
    column = split or SIDE
    if column not in frame.columns:
        return None
    words = frame[column].astype(str).str.strip().str.lower()
    if len(other := words[~words.isin(list(SIDES))]):
        raise BadInput(f"{where}: {other.iloc[0]!r} is no side; train, validation and test are")
    side = words.map(SIDES).to_numpy()
    if not (side == 0).any() or not (side == 2).any():
        raise BadInput(f"{where}: its sides have no {'test' if (side == 0).any() else 'training'} rows")
    return side


def without_copies(
    keys: Sequence[Hashable], labels: np.ndarray, side: np.ndarray | None, called: Sequence[Any], where: str
) -> np.ndarray:
    """Indices that stay: the first of equal inputs, a test sample before others; none of those under two labels.

    Args:
        keys: equal for equal inputs. called: what a person knows each sample by.

    Raises:
        BadInput: nothing stays.
    """
    order = np.arange(len(keys)) if side is None else np.argsort(-side, kind="stable")
    frame = pd.DataFrame({"key": list(keys), "label": labels}).iloc[order]
    in_two = np.sort(frame.index[frame.groupby("key", sort=False)["label"].transform("nunique") > 1])
    copies = np.setdiff1d(frame.index[frame.duplicated("key")], in_two)
    for found, told in ((in_two, "equal inputs stand under two labels"), (copies, "inputs repeat another one")):
        if len(found):
            tell(f"{where}: {len(found)} {told} and are left out ({listed([called[i] for i in found])})")
    stay = np.setdiff1d(np.arange(len(keys)), [*in_two, *copies])
    if not len(stay):
        raise BadInput(f"{where}: all inputs stand under two labels; nothing is left to learn from")
    return stay


def sides(
    groups: np.ndarray, labels: np.ndarray, names: Sequence[str], name: str, given: np.ndarray | None = None
) -> np.ndarray:
    """0 (training), 1 (validation) or 2 (test) for each sample, the same for all of a group and for all seeds.

    A fifth of each class is for testing and a tenth for validation, one group at least; what is `given` stays.

    Raises:
        BadInput: a class of too few samples.
    """
    side = np.zeros(len(labels), np.int64) if given is None else given.copy()
    if given is not None and (given == 1).any():
        return side
    rng = np.random.default_rng(seed_of("validation", name))
    place = rng.permutation(groups.max() + 1)
    taken: dict[int, int] = {}  # a group that meets two classes stays where the first of them put it
    for label, told in enumerate(names):
        members = np.flatnonzero((labels == label) & (side == 0))
        own = np.unique(groups[members])
        fewest = 3 if given is None else 2
        if len(own) < fewest:
            raise BadInput(
                f"{name}: class {told!r} has {len(own)} different samples to draw from, {fewest} are the fewest; "
                "add some, or leave the class out"
            )
        own = own[np.argsort(place[own])]
        tested = max(1, round(TEST * len(own))) if given is None else 0
        held_out = max(1, round(VALIDATION * len(own)))
        wanted = np.repeat([2, 1, 0], [tested, held_out, len(own) - tested - held_out])
        found = {int(group): taken.setdefault(int(group), int(one)) for group, one in zip(own, wanted, strict=True)}
        side[members] = [found[int(group)] for group in groups[members]]
    return side


def image(given: Any, beside: Path) -> Any:
    """An image of Pillow from a path (from `beside`), from bytes, from what `datasets` stores, or as it is."""
    from PIL import Image

    if isinstance(given, dict):
        given = given.get("bytes") or given.get("path")
    if isinstance(given, bytes):
        given = io.BytesIO(given)
    elif isinstance(given, str):
        given = beside / given
    elif isinstance(given, np.ndarray):
        return Image.fromarray(given)
    elif isinstance(given, Image.Image):
        return given
    try:
        found = Image.open(given)
        found.load()
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"no image can be read from {given if isinstance(given, Path) else 'its bytes'}: {error}"
        ) from error
    return found
