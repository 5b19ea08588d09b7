"""Texts with labels as hubs publish them, read with `datasets` from files on this machine, as tokens of a shared BPE.

What was read and cut into tokens is kept in the cache, by the files' names and times, and mapped into memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.core import paths
from benchmarks.core.errors import BadInput, in_a_line
from benchmarks.data.asset import Unavailable

if TYPE_CHECKING:
    from datasets import Dataset
    from tokenizers import Tokenizer

_LARGEST = 2**16  # tokens of a vocabulary: they are kept in two bytes


def read(folder: Path, split: str, columns: tuple[str, ...]) -> Dataset:
    """The split's label and columns, of SPLIT-*.parquet or, without a header and labelled from 1, of SPLIT.csv.

    Raises:
        Unavailable: there are no such files. BadInput: they cannot be read, or lack a column.
    """
    from datasets import Dataset

    wanted, cache = ["label", *columns], str(paths.cache() / "datasets")
    files, table = sorted(map(str, folder.glob(f"{split}-*.parquet"))), folder / f"{split}.csv"
    if not files and not table.exists():
        raise Unavailable(f"{folder} holds no {split}-*.parquet and no {split}.csv")
    try:
        if files:
            found = Dataset.from_parquet(files, cache_dir=cache)
        else:
            more: dict[str, Any] = {"column_names": wanted, "keep_default_na": False}
            found = Dataset.from_csv(str(table), cache_dir=cache, **more)
    except Exception as error:  # pyarrow, pandas and datasets have many kinds of their own
        raise BadInput(f"{folder}: {split} cannot be read: {in_a_line(error.__cause__ or error)}") from error
    if absent := [name for name in wanted if name not in found.column_names]:
        raise BadInput(f"{folder}: {split} has no {', '.join(absent)}; it has {', '.join(found.column_names)}")
    return found.select_columns(wanted)


def tokens(
    folder: Path,
    split: str,
    columns: tuple[str, ...],
    tokenizer: Tokenizer,
    classes: int,
    pairs: bool = False,
    lowest: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """(tokens (N, T), labels (N,)) of a split; T is what the tokenizer pads to.

    Args:
        pairs: two columns are two texts with separators between them; else columns follow each other in one text.
        lowest: label that a sample may have; -1 of a split without labels.

    Raises:
        Unavailable, BadInput: see `read`; a label that is none of the classes.
    """
    from datasets import Features, List, Value

    if tokenizer.get_vocab_size() > _LARGEST:
        raise BadInput(f"{folder}: the tokenizer has {tokenizer.get_vocab_size()} tokens; {_LARGEST} are the most")
    found = read(folder, split, columns)
    made = found.map(
        _encoded,
        batched=True,
        remove_columns=list(columns),
        features=Features(
            {"label": Value("int64"), "tokens": List(Value("uint16"), (tokenizer.padding or {})["length"])}
        ),
        fn_kwargs={"tokenizer": tokenizer, "columns": columns, "pairs": pairs},
    )
    parts = made.data.column("tokens").chunks
    texts = np.concatenate([part.flatten().to_numpy() for part in parts]).reshape(len(made), -1)
    first = 0 if list(folder.glob(f"{split}-*.parquet")) else 1
    labels = made.data.column("label").to_numpy().astype(np.int64) - first
    if len(wrong := np.flatnonzero((labels < lowest) | (labels >= classes))):
        raise BadInput(
            f"{folder}: row {wrong[0]} of {split} has label {labels[wrong[0]] + first}, of {classes} classes"
        )
    return texts, labels


def _encoded(batch: dict[str, list], tokenizer: Tokenizer, columns: tuple[str, ...], pairs: bool) -> dict[str, list]:
    """Line breaks that are written out in reviews are spaces."""
    parts = ([str(text or "").replace("\\n", " ") for text in batch[column]] for column in columns)
    texts = list(zip(*parts, strict=True))
    encoded = tokenizer.encode_batch(texts if pairs else [" ".join(text) for text in texts])
    return {"label": batch["label"], "tokens": [one.ids for one in encoded]}
