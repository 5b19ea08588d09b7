"""`data`: fetch the data sets and check them against their pinned hashes; or pack images of your own in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.core.errors import BadInput, MachineFailure
from benchmarks.data.fonts import GLYPHS
from benchmarks.data.images import FASHION
from benchmarks.data.questions import ANSWERED
from benchmarks.data.texts import FOODS, MINILM, MOVIES, QUESTIONS, SUMMARIES

ASSETS = (FASHION, GLYPHS, MOVIES, QUESTIONS, SUMMARIES, FOODS, MINILM, ANSWERED)


@dataclass
class Options:
    pack: Path | None = None
    """A folder of images by class, or a table with a column `image`: write them, decoded, to one file for --data. Of
    what memory does not hold a run then reads what its next steps need."""
    side: int = 224
    """Of --pack: pixels of a side that all images get; what is not square is cut to its middle."""
    out: Path | None = None
    """Of --pack: the file; by default FOLDER.safetensors beside you."""


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    if options.pack is not None:
        return _pack(options.pack, options.side, options.out, console)
    status = 0
    for asset in ASSETS:
        try:
            size = sum(array.nbytes for array in asset.load().values()) / 2**20
            console.print(f"{asset.name}: {size:.0f} MB decoded; {asset.licence}; {asset.origin}", markup=False)
        except MachineFailure as error:
            console.print(f"{asset.name}: {error}", markup=False)
            status = 1
    return status


def _pack(folder: Path, side: int, out: Path | None, console: Console) -> int:
    from benchmarks.data.stored import pack
    from benchmarks.own import ImageData

    out = out or Path(f"{folder.absolute().name}.safetensors")
    if out.suffix != ".safetensors":
        raise BadInput(f"--out: {out} must end in .safetensors, by which --data knows it")
    kind = type("Packed", (ImageData,), {"path": str(folder.absolute()), "name": out.stem, "side": side})
    images, labels, sides, names = kind().samples()
    pack(out, images, labels, sides, names)
    console.print(f"{len(labels):,} images of {len(names)} classes, {images.nbytes / 2**20:,.0f} MB", markup=False)
    console.print(f"written: {out}", markup=False)
    return 0
