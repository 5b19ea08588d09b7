"""What the findings quote from records beside the reference."""

import json

from benchmarks.analysis import crossed, ledger, scores
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.groups import Group
from benchmarks.registry.hyperparameters import read_tuned


def test_few_images_by_todays_search_are_quoted_as_recorded():
    folder = ledger.LEDGER / "evidence" / "fashion-few" / "small"
    text, groups = (paths.ROOT / "docs" / "findings.md").read_text(), Results.load(folder).groups()
    cells = [
        {row: scores.of(seeds, "accuracy") for row, seeds in groups[Group("fashion", "full", n, "samples")].items()}
        for n in (50, 150)
    ]
    assert all(set(found) == set(read_tuned(folder / "tuned.json")["fashion full 150"]) for found in cells)
    for row in cells[0]:
        few, more = (100 * found[row].values.mean() for found in cells)
        assert f"| {row}{' (oracle)' * (row == 'distillation-unlabelled')} | {few:.1f} | {more:.1f} |" in text

    def told(one, other):
        found = crossed.paired(one, other)
        assert found is not None
        return f"{100 * found.mean:+.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"

    for one, other in (
        ("tgt-gradient", "distillation-augmented"), ("tgt-random", "distillation-augmented"),
        ("tgt-gradient", "tgt-random"), ("tgt-gradient", "prior-sampling"),
    ):  # fmt: skip
        few, more = (told(found[one], found[other]) for found in cells)
        assert f"| {one}, {other} | {few} | {more} |" in text
    assert told(cells[0]["tgt-gradient"], cells[1]["distillation-augmented"]) == "+3.9 [-0.4, 8.1]"
    assert told(cells[0]["prior-sampling"], cells[1]["distillation-augmented"]) == "+4.1 [1.2, 7.1]"


def test_long_data_free_runs_are_quoted_as_recorded():
    text = " ".join((paths.ROOT / "docs" / "findings.md").read_text().split())
    lines = (ledger.LEDGER / "evidence" / "data-free-long.jsonl").read_text().splitlines()
    runs = sorted((json.loads(line) for line in lines), key=lambda run: run["seed"])
    for steps in (8000, 16000):
        found = [100 * run["metrics"]["accuracy"] for run in runs if run["identity"]["steps"] == steps]
        assert "{:.1f} % ({:.1f}, {:.1f} and {:.1f};".format(sum(found) / len(found), *found) in text
