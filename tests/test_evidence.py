"""What the findings quote from records beside the reference."""

import json
from itertools import pairwise

from benchmarks.analysis import claims, crossed, ledger, multipliers, scores
from benchmarks.analysis.search_orders import Orders
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.groups import Group

FOLDER = paths.REFERENCE / "small"
EVIDENCE = ledger.LEDGER / "evidence"
REFERENCE = Results.load(FOLDER)
ORDERS = Orders.of(FOLDER)
BUDGETS = 50, 150, 500, 1500, 5000, 15000, 60000
FINDINGS = " ".join((paths.ROOT / "docs" / "findings.md").read_text().split())


def told(one, other):
    found = crossed.paired(one, other)
    assert found is not None
    return f"{100 * found.mean:+.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def cell_of(results, budget):
    seeds_of = results.groups()[Group("fashion", "full", budget, "samples")]
    return {row: scores.of(seeds, "accuracy") for row, seeds in seeds_of.items()}


def test_the_curve_of_images_is_quoted_as_recorded():
    cells = [cell_of(REFERENCE, budget) for budget in BUDGETS]
    for row in cells[0]:
        means = " | ".join(f"{100 * found[row].values.mean():.1f}" for found in cells)
        assert f"| {row}{' (oracle)' * (row == 'distillation-unlabelled')} | {means} |" in FINDINGS
    for one, other in (
        ("tgt-gradient", "distillation"), ("tgt-gradient", "distillation-augmented"),
        ("tgt-gradient", "distillation-mixup"), ("tgt-random", "distillation"), ("tgt-gradient", "tgt-random"),
        ("tgt-gradient", "prior-sampling"), ("distillation", "one-hot"),
    ):  # fmt: skip
        assert f"| {one}, {other} | {' | '.join(told(found[one], found[other]) for found in cells)} |" in FINDINGS
    times = multipliers.frame(REFERENCE.tables()["fig2"][1])
    best = times[times["rival"] == "best distillation"].set_index(["method", "budget"])
    for row in ("tgt-gradient", "tgt-random", "prior-sampling"):
        found = [best.loc[row, budget] for budget in BUDGETS[:-1]]
        quoted = " | ".join(f"{'at least ' * bool(one.bound)}{one.multiplier:.1f}" for one in found)
        assert f"| {row} | {quoted} |" in FINDINGS


def test_the_steps_of_the_curve_of_images_are_quoted_as_recorded():
    (claim,) = (claim for claim in ledger.load() if claim.id == "C2")
    rule = claim.primary
    finding = " ".join(claim.findings[0].split())

    def told(**changes) -> str:
        check = rule.model_copy(update=changes)
        judged = claims.judge(claim.model_copy(update={"primary": check, "secondary": ()}), REFERENCE.groups(), ORDERS)
        found = judged.primary.difference
        return f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"

    steps = [told(budget=(few,), worse_budget=(more,)) for few, more in pairwise(BUDGETS)]
    for step in steps:
        assert step in finding
    assert f"({told(better='prior-sampling')}" in " ".join(claim.findings[1].split())


def test_more_steps_on_few_images_are_quoted_as_recorded(tmp_path):
    (tmp_path / "records.jsonl").write_text((EVIDENCE / "fashion-few-long.jsonl").read_text())
    short, long = REFERENCE, Results.load(tmp_path)
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
    lines = (EVIDENCE / "data-free-long.jsonl").read_text().splitlines()
    runs = sorted((json.loads(line) for line in lines), key=lambda run: run["seed"])
    for steps in (8000, 16000):
        found = [100 * run["metrics"]["accuracy"] for run in runs if run["identity"]["steps"] == steps]
        assert "{:.1f} % ({:.1f}, {:.1f} and {:.1f};".format(sum(found) / len(found), *found) in FINDINGS
