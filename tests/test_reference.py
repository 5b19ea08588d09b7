"""The committed reference: its tables are what its records give, and the README quotes them as they stand."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.analysis import ablation, aggregate, claims, crossed, ledger, multipliers, scores, summary
from benchmarks.analysis import slopes as theory
from benchmarks.analysis.scores import plain
from benchmarks.analysis.search_orders import Orders
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.groups import Group, values
from benchmarks.records.record import Record
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.registry.hyperparameters import read_tuned
from benchmarks.report import artefacts, tables
from benchmarks.report.grid import to_csv

FOLDER = paths.REFERENCE / "small"
RESULTS = Results.load(FOLDER)
TABLES = {files: groups for files, (_, groups) in RESULTS.tables().items()}
TRIALS = 8  # of the two searches that a finding compares

FILES = {name: (name, ()) for name in EXPERIMENTS} | {
    f"{name}-{task}": (name, (task,)) for name, experiment in EXPERIMENTS.items() for task in experiment.also
}


def paired(ours, theirs):
    """Over seeds alone, as findings quote it."""
    return crossed.paired(plain(ours), plain(theirs))


@pytest.mark.parametrize("files", FILES)
def test_committed_tables_are_what_the_committed_records_give(files):
    name, _ = FILES[files]
    if files not in TABLES:  # a task that the reference does not hold has no table either
        assert not (FOLDER / f"{files}.csv").exists()
        return
    assert (FOLDER / f"{files}.csv").read_text() == to_csv(summary.frame(TABLES[files]))
    if EXPERIMENTS[name].figure == "curve":
        assert (FOLDER / f"{files}-multiplier.csv").read_text() == to_csv(multipliers.frame(TABLES[files]))


def test_every_committed_csv_is_what_the_committed_records_give():
    found = {file: text for one in artefacts.of(RESULTS, Choice()) for file, text in one.csvs.items()}
    assert {"aggregate.csv", "price.csv", "diagnostics.csv", "ablation-sigma.csv", "theory-slopes.csv"} <= set(found)
    assert [file for file, text in found.items() if (FOLDER / file).read_text() != text] == []
    assert {file.name for file in FOLDER.glob("ablation-*.csv")} <= set(found)  # none is left of records that went


def test_the_readme_quotes_the_reference():
    readme = (paths.ROOT / "README.md").read_text()
    groups = TABLES["table1"]
    orders = Orders.of(FOLDER)
    quoted = [
        tables.grid(name, group, orders=orders) for name, group in groups.items() if name[:2] == ("fashion-lt", "full")
    ]
    assert len(quoted) == 1
    assert quoted[0].markdown().strip() in readme


def test_the_readme_quotes_the_aggregate():
    readme = " ".join((paths.ROOT / "README.md").read_text().split())
    found = aggregate.scores(RESULTS.groups())
    means = aggregate.frame(found).set_index("method").iqm
    for words, method in (
        ("one-hot", "one-hot"),
        ("distillation", "distillation"),
        ("TGT random", "tgt-random"),
        ("TGT gradient", "tgt-gradient"),
        ("decoded noise", "prior-sampling"),
    ):
        assert f"{words} {means[method]:.2f}" in readme
    ranks = dict(zip(found.methods, found.ranks, strict=True))
    apart = ranks["distillation"] - min(ranks["tgt-random"], ranks["tgt-gradient"])
    assert apart < found.critical_difference


def test_every_reference_cell_has_all_its_seeds_and_none_failed():
    five = {
        ("movie-5", 500), ("movie-5", 2500), ("fashion-lt", 2478), ("glyph-lt", 7544),
        ("wiki-titles", 500), ("wiki-titles", 2000), ("nq-wiki", 250), ("nq-wiki", 627),
    }  # fmt: skip
    for name in EXPERIMENTS:
        for group, cells in TABLES[name].items():
            for method, found in cells.items():
                ablated = group[:2] == ("movie-5", "same-data")  # by ablation-teacher alone
                wanted = 5 if (group[0], group[2]) in five and not ablated else EXPERIMENTS[name].seeds
                assert len(found) == wanted * len({unit.draw for unit in found}), (group, method)
                assert all(record is not None and record.status == "ok" for record in found.values()), (group, method)


def test_the_finding_on_the_generator_quotes_the_two_searches():
    """The same settings with the generator's KL weight at 1 (evidence) and at 0.1 (the reference), on validation."""
    searches = [ledger.LEDGER / "evidence" / "search-kl-weight-1.jsonl", FOLDER / "tuning" / "records.jsonl"]
    lines = [map(Record.parse, path.read_text().splitlines()) for path in searches]
    records = [[record for record in found if record.identity.get("protocol", 1) == 1] for found in lines]
    (finding,) = [f for claim in ledger.load() for f in claim.findings if "KL weight" in f]
    for method in ("tgt-random", "tgt-gradient", "tgt-random-balanced", "tgt-gradient-balanced", "prior-sampling"):
        trials = [{r.spec.trial: r for r in found if r.spec.method == method} for found in records]
        assert [len(found) for found in trials] == [TRIALS, TRIALS]
        assert all(trials[0][t].identity["config"] == trials[1][t].identity["config"] for t in range(TRIALS))
        means = [sum(validation(r) for r in found.values()) / TRIALS for found in trials]
        assert f"{method} {100 * means[0]:.1f} and {100 * means[1]:.1f}" in finding
    judged = pd.read_csv(ledger.LEDGER / "evidence" / "teachers-kl-weight.csv").set_index(["kl_weight", "sigma"])
    share = 100 * judged.few_shot
    assert f"{share[1.0, 1.0]:.0f} % and {share[0.1, 1.0]:.0f} %" in " ".join(finding.split())


def test_the_finding_on_the_ascents_direction_quotes_its_runs():
    """Paired with the table's records: the same cells with a random direction in the ascent's place."""
    table, control = RESULTS.groups(), RESULTS.groups("direction=random")
    (finding,) = [" ".join(f.split()) for claim in ledger.load() for f in claim.findings if "direction=random" in f]
    for budget in (500, 2500):
        group = Group("movie-5", "full", budget, "samples")
        scores = [values(found[group]["tgt-gradient-pool"], "accuracy") for found in (table, control)]
        found = paired(*scores)
        assert found is not None
        assert found.n == 5
        quoted = f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}] points at {budget:,}"
        assert quoted in finding


def test_the_findings_on_short_descriptions_quote_their_runs():
    groups, shorter = RESULTS.groups(), RESULTS.groups("longest=8")
    claim = next(claim for claim in ledger.load() if claim.id == "C5")
    findings = [" ".join(finding.split()) for finding in claim.findings]

    def mean(found, method, budget=500):
        scores = values(found["wiki-titles", "full", budget, "samples"][method], "success_20")
        assert len(scores) == 5
        return f"{100 * sum(scores.values()) / 5:.1f} %"

    assert f"5 seeds) have {mean(shorter, 'inverse-cloze-pool')}" in findings[2]
    assert f"chose, {mean(groups, 'inverse-cloze-pool')}" in findings[2]
    assert f"have {mean(groups, 'prior-sampling-pool')} (prior-sampling-pool)" in findings[2]
    told = []
    for budget in (500, 2000):
        group = groups["wiki-titles", "full", budget, "samples"]
        rows = [values(group[name], "success_20") for name in ("prior-sampling-pool", "distillation-unlabelled-pool")]
        found = paired(*rows)
        assert found is not None
        told.append(f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]")
    assert f"{told[0]} and {told[1]} points with 500 and 2,000 pairs" in findings[3]
    for method in ("sbert-kl", "sbert-margin-mse", "distillation", "distillation-scores"):
        assert mean(groups, method) in findings[4]


def test_the_finding_on_the_steps_of_ascent_quotes_its_runs():
    (finding,) = [" ".join(f.split()) for claim in ledger.load() for f in claim.findings if "ablation-steps, " in f]
    frame = ablation.frame("ablation-steps", RESULTS, Choice()).set_index(["task", "method", "value"])
    shares = [100 * frame.made_few_shot["fashion-lt", "tgt-gradient", steps] for steps in ("0", "1", "4")]
    assert "puts {:.0f} % of what".format(*shares) in finding
    assert "{1:.0f} % after one and {2:.0f} % after four".format(*shares) in finding

    def told(task, budget, method, metric, steps) -> str:
        settings = (f"ascent_steps={n}" for n in (steps, 0))
        groups = [RESULTS.groups(one)[task, "full", budget, "samples"] for one in settings]
        found = paired(*(values(group[method], metric) for group in groups))
        assert found is not None
        assert found.n == 3
        return f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"

    image = "fashion-lt", 2478, "tgt-gradient"
    one, four = (told(*image, "balanced_accuracy", steps) for steps in (1, 4))
    assert f"none brings tgt-gradient {one} points on fashion-lt, four {four}:" in finding
    assert f"few-shot {told(*image, 'few_shot', 1)}, many-shot {told(*image, 'many_shot', 1)}" in finding
    text = "movie-5", 500, "tgt-gradient-pool", "accuracy"
    assert f"one step brings {told(*text, 1)} points and two {told(*text, 2)} (3 seeds)" in finding


def test_the_finding_on_the_start_of_exploration_quotes_its_runs():
    (finding,) = [" ".join(f.split()) for claim in ledger.load() for f in claim.findings if "ablation-start, " in f]
    groups = {
        start: RESULTS.groups(f"start={start}")["fashion-lt", "full", 2478, "samples"] for start in ("balanced", "data")
    }

    def told(method, metric) -> str:
        found = paired(*(values(groups[start][method], metric) for start in ("balanced", "data")))
        assert found is not None
        assert found.n == 3
        return f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"

    rare = f"{told('tgt-random', 'few_shot')} points with tgt-random and {told('tgt-gradient', 'few_shot')} with"
    assert rare in finding
    every = [told(method, "balanced_accuracy") for method in ("tgt-random", "tgt-gradient")]
    assert "all classes {} and {};".format(*every) in finding


def test_the_readme_quotes_the_ablation_of_the_share():
    text = " ".join((paths.ROOT / "README.md").read_text().split())
    most, half = (RESULTS.groups(f"share={share}")["fashion-lt", "full", 2478, "samples"] for share in (0.9, 0.5))
    told = []
    for method in ("tgt-random", "tgt-gradient"):
        found = paired(*(values(rows[method], "balanced_accuracy") for rows in (half, most)))
        assert found is not None
        told += [f"{100 * found.mean:.1f}", f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"]
    assert "`tgt-random` loses {} points {} on the long tail, `tgt-gradient` {} {};".format(*told) in text


def test_the_readme_quotes_the_ablation_of_the_teacher():
    text = " ".join((paths.ROOT / "README.md").read_text().split())
    group = RESULTS.groups()["movie-5", "same-data", 500, "samples"]
    base, ours = (values(group[method], "accuracy") for method in ("distillation", "tgt-gradient-pool"))
    found = paired(ours, base)
    assert found is not None
    assert f"distillation ({100 * sum(base.values()) / 3:.1f} %)" in text
    assert f"`tgt-gradient-pool` ({100 * sum(ours.values()) / 3:.1f} %)" in text
    assert f"{100 * found.mean:.1f} points [{100 * found.low:.1f}, {100 * found.high:.1f}] above it" in text


def test_the_findings_on_manifolds_quote_its_runs():
    groups = TABLES["theory"]
    findings = [" ".join(f.split()) for claim in ledger.load() if claim.id == "C7" for f in claim.findings]

    def told(found) -> str:
        assert found is not None
        assert found.n == 5
        return f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"

    def scores(task, budget, method):
        return values(groups[task, "full", budget, "samples"][method], "accuracy")

    def gain(task, budget, method):
        base = scores(task, budget, "distillation")
        return {seed: value - base[seed] for seed, value in scores(task, budget, method).items()}

    for method in ("tgt-random", "tgt-gradient"):
        # The two tasks' seeds share nothing.
        wide, narrow = (plain(gain(f"manifold-8-in-{D}", 512, method)) for D in (512, 32))
        assert f"{method} {told(crossed.apart(wide, narrow))}" in findings[0]
    apart = [
        paired(gain(f"manifold-8-in-{D}", 128, "tgt-random"), gain(f"manifold-2-in-{D}", 128, "tgt-random")).mean
        for D in (32, 128, 512)
    ]
    assert f"{100 * min(apart):.1f} to {100 * max(apart):.1f} points more at d = 8" in findings[0]
    slopes = theory.frame(groups)
    for d in (2, 4, 8):
        found = slopes[(slopes.latent == d) & (slopes.method == "distillation")].slope
        assert f"{found.max():.2f} to {found.min():.2f} at d = {d}" in findings[1]
    ours = slopes[slopes.method.isin(["tgt-random", "tgt-gradient"])].slope
    assert f"{ours.max():.2f} to {ours.min():.2f}" in findings[1]
    ahead = [
        paired(scores(f"manifold-8-in-{D}", 2048, "tgt-gradient"), scores(f"manifold-8-in-{D}", 2048, "prior-sampling"))
        for D in (32, 128, 512)
    ]
    assert "{}, {} and {} points".format(*map(told, ahead)) in findings[2]


def validation(record: Record) -> float:
    score = (record.curve[-1].validation or {})["balanced_accuracy"]
    assert score is not None
    return score


def test_the_findings_quote_the_verdict_and_the_interval_of_each_claim():
    lines = (paths.ROOT / "docs" / "findings.md").read_text().splitlines()
    for judged in claims.judge_all(RESULTS.groups(), Orders.of(FOLDER)):
        (row,) = [line for line in lines if line.startswith(f"| {judged.claim.id}: ")]
        assert row.endswith(f"| {judged.outcome} |")
        if judged.primary is not None and judged.primary.difference is not None:
            found = judged.primary.difference
            assert f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]" in row


def first_draw(group):
    """A group's records under the first draw of the teacher."""
    cells = RESULTS.groups()[group]
    return {row: {unit: one for unit, one in found.items() if unit.draw == 0} for row, found in cells.items()}


def test_the_second_search_is_quoted_as_recorded_and_keeps_the_orders():
    group, folder = Group("fashion-lt", "full", 2478, "samples"), ledger.LEDGER / "evidence" / "second-search" / "small"
    ours, theirs = first_draw(group), Results.load(folder).groups()[group]
    chosen = [read_tuned(one / "tuned.json")["fashion-lt full 2478"] for one in (FOLDER, folder)]
    best = [{row: found[row]["validation"]["balanced_accuracy"] for row in chosen[1]} for found in chosen]
    assert [sorted(theirs, key=one.get) for one in best] == [sorted(theirs, key=best[0].get)] * 2
    text = (paths.ROOT / "docs" / "findings.md").read_text()
    for row in theirs:
        tests = [100 * scores.of(cells[row], "balanced_accuracy").values.mean() for cells in (ours, theirs)]
        told = ", ".join(f"{100 * one[row]:.1f}" for one in best)
        assert f"| {row} | {told} | {tests[0]:.1f} | {tests[1]:.1f} |" in text
    for rows, metric in (
        ("tgt-gradient, distillation", ""), ("tgt-gradient, tgt-random", ""),
        ("tgt-random-balanced, tgt-gradient", ""), ("prior-sampling, tgt-gradient", ""),
        ("tgt-gradient-balanced, prior-sampling", ""), ("tgt-gradient, tgt-random", "few-shot"),
        ("tgt-gradient, tgt-random", "medium-shot"), ("tgt-gradient, tgt-random", "many-shot"),
    ):  # fmt: skip
        name = metric.replace("-", "_") or "balanced_accuracy"
        told = []
        for cells in (ours, theirs):
            one, other = (scores.of(cells[row], name) for row in rows.split(", "))
            found = crossed.paired(one, other)
            assert found is not None
            told.append(f"{100 * found.mean:+.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]")
        assert f"| {rows}{': ' * bool(metric)}{metric} | {told[0]} | {told[1]} |" in text


def test_a_search_of_shorter_runs_does_not_judge_a_longer_schedule():
    orders, place = Orders.of(FOLDER), ("fashion-lt", "full", 2478)
    assert orders.chance("distillation-augmented", "distillation", *place) == 1.0
    assert orders.chance("distillation-augmented-long", "distillation", *place) is None


def test_what_more_steps_bring_is_quoted_as_recorded():
    text = (paths.ROOT / "docs" / "findings.md").read_text()
    cells = first_draw(Group("fashion-lt", "full", 2478, "samples"))
    found = {row: scores.of(cells[row], "balanced_accuracy") for row in cells}

    def told(ours, theirs):
        difference = crossed.paired(found[ours], found[theirs])
        assert difference is not None
        return f"{100 * difference.mean:+.1f} [{100 * difference.low:.1f}, {100 * difference.high:.1f}]"

    rows = (
        "distillation",
        "distillation-mixup",
        "distillation-augmented",
        "prior-sampling",
        "tgt-random",
        "tgt-gradient",
    )
    for row in rows:
        means = [f"{100 * found[one].values.mean():.1f}" for one in (row, f"{row}-long")]
        assert f"| {row} | {means[0]} | {means[1]} | {told(f'{row}-long', row)} |" in text
    assert told("tgt-gradient", "distillation-augmented-long") in text
    assert f"by {told('tgt-gradient-long', 'distillation-augmented-long')} points" in text
    for row in ("tgt-gradient-long", "tgt-random-long"):
        assert f"the prior ({told(row, 'prior-sampling-long')})" in text
