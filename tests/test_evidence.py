"""What the findings quote from records beside the reference."""

import json
from itertools import pairwise

from benchmarks.analysis import crossed, ledger, multipliers, scores
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.groups import Group
from benchmarks.registry.hyperparameters import read_tuned

FEW = ledger.LEDGER / "evidence" / "fashion-few" / "small"
BUDGETS = 50, 150, 500, 1500
FINDINGS = " ".join((paths.ROOT / "docs" / "findings.md").read_text().split())


def told(one, other):
    found = crossed.paired(one, other)
    assert found is not None
    return f"{100 * found.mean:+.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def cell_of(results, budget):
    seeds_of = results.groups()[Group("fashion", "full", budget, "samples")]
    return {row: scores.of(seeds, "accuracy") for row, seeds in seeds_of.items()}


def test_few_images_by_todays_search_are_quoted_as_recorded():
    results = Results.load(FEW)
    cells = [cell_of(results, budget) for budget in BUDGETS]
    tuned = read_tuned(FEW / "tuned.json")
    assert all(set(found) == set(tuned[f"fashion full {band}"]) for found in cells for band in (150, 1500))
    for row in cells[0]:
        means = " | ".join(f"{100 * found[row].values.mean():.1f}" for found in cells)
        assert f"| {row}{' (oracle)' * (row == 'distillation-unlabelled')} | {means} |" in FINDINGS
    for one, other in (
        ("tgt-gradient", "distillation"), ("tgt-gradient", "distillation-augmented"),
        ("tgt-gradient", "distillation-mixup"), ("tgt-random", "distillation-augmented"),
        ("tgt-gradient", "tgt-random"), ("tgt-gradient", "prior-sampling"),
    ):  # fmt: skip
        assert f"| {one}, {other} | {' | '.join(told(found[one], found[other]) for found in cells)} |" in FINDINGS
    steps = [told(few["tgt-gradient"], more["distillation-augmented"]) for few, more in pairwise(cells)]
    assert steps[0] == "+3.9 [-0.4, 8.1]"
    assert "{}, {} and {} points above it".format(*steps) in FINDINGS
    assert told(cells[0]["prior-sampling"], cells[1]["distillation-augmented"]) == "+4.1 [1.2, 7.1]"
    assert "The prior with 50 images is 4.1 points [1.2, 7.1] above augmented distillation with 150" in FINDINGS
    times = multipliers.frame(results.groups())
    best = times[times["rival"] == "best distillation"].set_index(["method", "budget"])
    rounded = {
        row: [round(best.multiplier[row, budget]) for budget in BUDGETS[:3]] for row in ("tgt-random", "prior-sampling")
    }
    assert "`tgt-random` is worth {}, {} and {} times the images".format(*rounded["tgt-random"]) in FINDINGS
    assert "the prior {}, {} and {} times".format(*rounded["prior-sampling"]) in FINDINGS
    few, more = (best.loc[("tgt-gradient", budget)] for budget in (50, 150))
    assert f"needs about {few.multiplier:.0f} times the images" in FINDINGS
    assert (
        f"with 50 and {more.multiplier:.0f} times with 150 ({few.low:.1f} to {few.high:.1f}, and at least" in FINDINGS
    )
    assert f"at least {more.low:.1f}, resampled" in FINDINGS


def test_more_steps_on_few_images_are_quoted_as_recorded(tmp_path):
    (tmp_path / "records.jsonl").write_text((FEW.parents[1] / "fashion-few-long.jsonl").read_text())
    short, long = Results.load(FEW), Results.load(tmp_path)
    for row in cell_of(long, 150):
        cells = []
        for budget in (150, 500):
            found = cell_of(long, budget)[row]
            gain = told(found, cell_of(short, budget)[row.removesuffix("-long")])
            cells.append(f"{100 * found.values.mean():.1f} | {gain}")
        assert f"| {row} | {' | '.join(cells)} |" in FINDINGS
    rivals = "distillation-augmented-long", "distillation-mixup-long", "prior-sampling-long"
    for budget in (150, 500):
        found = cell_of(long, budget)
        assert "{}, {} and {}".format(*(told(found["tgt-gradient-long"], found[one]) for one in rivals)) in FINDINGS


def test_long_data_free_runs_are_quoted_as_recorded():
    lines = (ledger.LEDGER / "evidence" / "data-free-long.jsonl").read_text().splitlines()
    runs = sorted((json.loads(line) for line in lines), key=lambda run: run["seed"])
    for steps in (8000, 16000):
        found = [100 * run["metrics"]["accuracy"] for run in runs if run["identity"]["steps"] == steps]
        assert "{:.1f} % ({:.1f}, {:.1f} and {:.1f};".format(sum(found) / len(found), *found) in FINDINGS
