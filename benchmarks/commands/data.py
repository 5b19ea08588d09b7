"""`data`: fetch the data sets and check them against their pinned hashes."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from benchmarks.core.errors import MachineFailure
from benchmarks.data.fonts import GLYPHS
from benchmarks.data.images import EMOJI, FASHION
from benchmarks.data.questions import ANSWERED
from benchmarks.data.texts import FOODS, MINILM, MOVIES, QUESTIONS, SUMMARIES

ASSETS = (FASHION, EMOJI, GLYPHS, MOVIES, QUESTIONS, SUMMARIES, FOODS, MINILM, ANSWERED)


@dataclass
class Options:
    pass


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    status = 0
    for asset in ASSETS:
        try:
            size = sum(array.nbytes for array in asset.load().values()) / 2**20
            console.print(f"{asset.name}: {size:.0f} MB decoded; {asset.licence}; {asset.origin}", markup=False)
        except MachineFailure as error:
            console.print(f"{asset.name}: {error}", markup=False)
            status = 1
    return status
