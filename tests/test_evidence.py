"""What the findings quote from records, of the reference and beside it."""

import json
import re
from itertools import combinations, pairwise

import pytest

from benchmarks.analysis import ablation, claims, crossed, ledger, multipliers, scores
from benchmarks.analysis.search_orders import Orders
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.groups import Group, values
from benchmarks.registry import tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.hyperparameters import read_tuned

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
    rival = "distillation-augmented-long"
    few, more = (told(cell_of(short, n)["tgt-gradient"], cell_of(long, m)[rival]) for n, m in ((50, 150), (150, 500)))
    both = told(cell_of(long, 150)["tgt-gradient-long"], cell_of(long, 500)[rival])
    assert f"with 150 images {both} above what augmented distillation of as many steps has with 500" in FINDINGS
    assert f"is {few} points above its next budget with 50 images and {more} with 150" in FINDINGS


def test_long_data_free_runs_are_quoted_as_recorded():
    lines = (EVIDENCE / "data-free-long.jsonl").read_text().splitlines()
    runs = sorted((json.loads(line) for line in lines), key=lambda run: run["seed"])
    for steps in (8000, 16000):
        found = [100 * run["metrics"]["accuracy"] for run in runs if run["identity"]["steps"] == steps]
        assert "{:.1f} % ({:.1f}, {:.1f} and {:.1f};".format(sum(found) / len(found), *found) in FINDINGS


@pytest.mark.parametrize("budget", [500, 2500])
def test_movie_sentences_are_quoted_as_recorded(budget):
    rows = REFERENCE.groups()[Group("movie-5", "full", budget, "samples")]
    found = {row: scores.of(seeds, "accuracy") for row, seeds in rows.items()}
    for row, seeds in rows.items():
        means = " | ".join(f"{100 * scores.of(seeds, one).values.mean():.1f}" for one in ("accuracy", "macro_f1"))
        less = "" if row == "distillation" else f"{told(found[row], found['distillation'])} "
        assert f"| {row} | {means} | {less}|" in FINDINGS
    text = FINDINGS[FINDINGS.index(f"**{budget:,} labels**") :]
    for rival in ("prior-sampling-pool", "tgt-random-pool", *["interpolation-pool"] * ("interpolation-pool" in rows)):
        assert told(found["tgt-gradient-pool"], found[rival]) in text
    assert told(found["tgt-random-pool"], found["prior-sampling-pool"]) in text


@pytest.mark.parametrize("row", ["tgt-random-pool", "interpolation-pool"])
def test_pools_of_other_sizes_are_quoted_as_recorded(row):
    """Of the seeds that all sizes have."""
    group = Group("movie-5", "full", 500, "samples")
    sizes = [REFERENCE.groups(settings)[group][row] for settings in ("pool=1000", "", "pool=8000")]
    shared = set.intersection(*map(set, sizes))
    found = [scores.of({unit: one[unit] for unit in shared}, "accuracy") for one in sizes]
    assert "{:.1f}, {:.1f} and {:.1f}".format(*(100 * one.values.mean() for one in found)) in FINDINGS
    assert told(found[1], found[0]) in FINDINGS


def test_the_curve_of_movie_sentences_is_quoted_as_recorded():
    cells = [REFERENCE.groups()[Group("movie-5", "full", budget, "samples")] for budget in (250, 8510)]
    for row in cells[0]:
        quoted = f"| {row} |"
        for rows in cells:
            found, base = (scores.of(rows[one], "accuracy") for one in (row, "distillation"))
            quoted += f" {100 * found.values.mean():.1f} | {'' if row == 'distillation' else told(found, base) + ' '}|"
        assert quoted in FINDINGS
    times = multipliers.frame(REFERENCE.tables()["fig2-movie-5"][1])
    ours = times[times["method"] == "tgt-gradient-pool"].multiplier
    assert "needs about {:.0f}, {:.0f} and {:.0f} times the labels".format(*ours) in FINDINGS


def test_teachers_of_the_students_own_sentences_are_quoted_as_recorded():
    """Of the seeds that both kinds of teacher have; one-hot and the pretrained student have no teacher."""
    full, same = (REFERENCE.groups()[Group("movie-5", kind, 500, "samples")] for kind in ("full", "same-data"))
    shared = set(same["distillation"])
    rows = {row: full[row] for row in ("one-hot", "pretrained-one-hot")} | same
    found = {row: {unit: seeds[unit] for unit in shared} for row, seeds in rows.items()}
    accuracy = {row: scores.of(seeds, "accuracy") for row, seeds in found.items()}
    for row in ("one-hot", "distillation", "prior-sampling-pool", "tgt-random-pool", "tgt-gradient-pool"):
        means = " | ".join(f"{100 * scores.of(found[row], one).values.mean():.1f}" for one in ("accuracy", "macro_f1"))
        less = "" if row == "distillation" else f"{told(accuracy[row], accuracy['distillation'])} "
        assert f"| {row} | {means} | {less}| {told(accuracy[row], accuracy['pretrained-one-hot'])} |" in FINDINGS


def test_scales_of_the_noise_on_sentences_are_quoted_as_recorded():
    """Over seeds alone."""
    group = Group("movie-5", "full", 500, "samples")
    scales = [REFERENCE.groups(f"sigma={one}")[group] for one in ("0", "0.5", "1", "2", "3", "5")]
    more = []
    for row, word in (("tgt-random-pool", "has"), ("tgt-gradient-pool", "")):
        found = [scores.plain(values(rows[row], "accuracy")) for rows in scales]
        means = [f"{100 * one.values.mean():.1f}" for one in found]
        assert " ".join(f"`{row}` {word} {', '.join(means[:-1])} and {means[-1]} %".split()) in FINDINGS
        more.append(told(found[4], found[2]))
    assert "(sigma 3 against 1 {} and {})".format(*more) in FINDINGS


@pytest.mark.parametrize("row", ["tgt-random-pool", "tgt-gradient-pool"])
def test_shares_of_generated_sentences_are_quoted_as_recorded(row):
    group = Group("movie-5", "full", 500, "samples")
    found = {one: scores.of(REFERENCE.groups(f"share={one}")[group][row], "accuracy") for one in (0.25, 0.5, 0.75, 0.9)}
    clear = []
    for one, other in combinations(found, 2):
        difference = crossed.paired(found[other], found[one])
        assert difference is not None
        if difference.low > 0 or difference.high < 0:
            clear.append((one, other))
    assert clear == ([(0.25, 0.9)] if row == "tgt-gradient-pool" else [])
    if clear:
        assert f"90 % above 25 % by {told(found[0.9], found[0.25])}" in FINDINGS
    least, most = (100 * pick(one.values.mean() for one in found.values()) for pick in (min, max))
    assert f"`{row}` {least:.1f} to {most:.1f} %" in FINDINGS


def test_starts_on_sentences_are_quoted_as_recorded():
    group = Group("movie-5", "full", 500, "samples")
    prior, balanced = (REFERENCE.groups(f"start={one}")[group] for one in ("prior", "balanced"))
    noise, ascent = (
        told(*(scores.of(found[row], "accuracy") for found in (prior, balanced)))
        for row in ("tgt-random-pool", "tgt-gradient-pool")
    )
    assert f"by {noise} with noise and {ascent} with the gradient" in FINDINGS


def test_scales_of_the_noise_are_quoted_as_recorded():
    """Over seeds alone."""
    group = Group("fashion-lt", "full", 2478, "samples")
    scales = {one: REFERENCE.groups(f"sigma={one}")[group] for one in ("0", "0.5", "1", "2", "3", "5")}

    def found(row, scale, metric="balanced_accuracy"):
        return scores.plain(values(scales[scale][row], metric))

    means = [f"{100 * found('tgt-random', scale).values.mean():.1f}" for scale in scales]
    assert f"{', '.join(means[:-1])} and {means[-1]} % at sigma 0, 0.5, 1, 2, 3 and 5" in FINDINGS
    assert f"(sigma 5 against none {told(found('tgt-random', '5'), found('tgt-random', '0'))})" in FINDINGS
    few = [100 * found("tgt-random", scale, "few_shot").values.mean() for scale in ("0", "5")]
    assert "few-shot classes ({:.1f} to {:.1f} %)".format(*few) in FINDINGS
    few = [100 * found("tgt-gradient", scale, "few_shot").values.mean() for scale in ("0", "2")]
    assert "few-shot classes rise from {:.1f} to {:.1f} % at sigma 2".format(*few) in FINDINGS
    none, one, five = (found("tgt-gradient", scale) for scale in ("0", "1", "5"))
    assert f"({100 * none.values.mean():.1f} % without, {100 * one.values.mean():.1f} at sigma 1)" in FINDINGS
    assert f"costs it {told(one, five)[1:].replace(' [', ' points [')} against 1" in FINDINGS
    middle = [found("tgt-gradient", scale, "medium_shot") for scale in ("5", "1")]
    assert f"medium-shot classes ({told(*middle)})" in FINDINGS
    frame = ablation.frame("ablation-sigma", REFERENCE, Choice()).set_index(["task", "method", "value"]).sort_index()
    rows = frame.loc["fashion-lt", "tgt-random"]
    rare = [100 * rows.made_few_shot[scale] for scale in ("0", "5")]
    assert "{:.0f} % of what is made without noise and {:.0f} % at sigma 5".format(*rare) in FINDINGS
    assert f"keeps its class in {100 * rows.class_kept['5']:.0f} of 100 cases" in FINDINGS


QUESTIONS = [Group("nq-wiki", "full", budget, "samples") for budget in (250, 627)]
WEIGHTED = "w_sup=1"  # the full weight on labels


def on_both(one, other, name="success_20", settings=""):
    """A row less another as searched: with 250 questions, with 627, and in the mean of both."""
    ours, theirs = REFERENCE.groups(settings), REFERENCE.groups()
    cells = [(scores.of(ours[group][one], name), scores.of(theirs[group][other], name)) for group in QUESTIONS]
    means = [scores.mean(cell) for cell in zip(*cells, strict=True)]
    return [told(*pair) for pair in (*cells, means)]


def means_of_questions(row, settings=""):
    groups = REFERENCE.groups(settings)
    return [f"{100 * scores.of(groups[group][row], 'success_20').values.mean():.1f}" for group in QUESTIONS]


def test_natural_questions_are_quoted_as_recorded():
    for row in REFERENCE.groups()[QUESTIONS[0]]:
        few, all_ = means_of_questions(row)
        less = ["", ""] if row == "distillation" else [f"{one} " for one in on_both(row, "distillation")]
        assert f"| {row} | {few} | {less[0]}| {all_} | {less[1]}|" in FINDINGS


GENERATING = "corpus-pool", "tgt-random-pool", "tgt-gradient-pool", "tgt-random-passages-pool"


@pytest.mark.parametrize("row", ["distillation", *GENERATING])
def test_the_weight_of_labels_on_natural_questions_is_quoted_as_recorded(row):
    itself = on_both(row, row, settings=WEIGHTED)[2]
    less = [on_both(row, "distillation", name, WEIGHTED)[2] for name in ("success_20", "mrr_10")]
    cells = [*means_of_questions(row, WEIGHTED), itself, "" if row == "distillation" else less[0], less[1]]
    assert " ".join(f"| {row} | {' | '.join(cells)} |".split()) in FINDINGS


def test_no_trial_on_natural_questions_had_the_full_weight_with_the_other_chosen_values():
    chosen = read_tuned(FOLDER / "tuned.json")["nq-wiki full 250"]
    lines = (FOLDER / "tuning" / "records.jsonl").read_text().splitlines()
    trials = [run for run in map(json.loads, lines) if run["task"] == "nq-wiki"]
    counts = []
    for row in GENERATING:
        tried = {run["trial"]: run["identity"]["config"] for run in trials if run["method"] == row}
        full = [config for config in tried.values() if config["w_sup"] == 1]
        wanted = chosen[row]["params"] | {"w_sup": 1.0}
        assert not [config for config in full if all(config[name] == value for name, value in wanted.items())]
        counts.append((len(full), len(tried)))
    (full_weight,) = {full for full, _ in counts}
    sizes = [tried for _, tried in counts]
    assert f"{full_weight} of the {min(sizes)} to {max(sizes)} settings that were tried" in FINDINGS


def test_what_narrows_the_gap_on_natural_questions_is_quoted_as_recorded():
    claim = next(claim for claim in ledger.load() if claim.id == "C5")
    signs = r"(?<=\[)\+|\+(?=[\d.]+\])"  # of an interval's ends
    few, metric = (re.sub(signs, "", " ".join(finding.split())) for finding in claim.findings[:2])
    passages, gradient = "tgt-random-passages-pool", "tgt-gradient-pool"
    for rival in ("prior-sampling-pool", "corpus-pool"):
        apart = on_both(passages, rival)
        assert f"(`{rival}`; {apart[0]}, {apart[1]})" in FINDINGS
        assert f"({rival}: {apart[0]}, {apart[1]})" in few
    below = [on_both(gradient, rival)[2] for rival in ("corpus-pool", "prior-sampling-pool")]
    for text in (FINDINGS, few):
        assert "{} and {} in the mean of both".format(*below) in text
    assert "({}, {})".format(*on_both(gradient, "tgt-random-pool")) in FINDINGS
    assert f"another {on_both(passages, 'tgt-random-pool')[2][1:].replace(' [', ' points [')}" in FINDINGS
    for one in on_both(gradient, "distillation")[:2]:
        assert one in few
    names = "mrr_10", "ndcg_10", "success_1"
    ranks, cumulated, first = (on_both(gradient, "distillation", name) for name in names)
    for text in (FINDINGS, metric):
        assert f"({ranks[2]} and {cumulated[2]})" in text
        assert first[2] in text
    assert f"{ranks[0]} with 250 questions and {ranks[1]} with 627" in FINDINGS
    names = "success_100", "trivia_success_20", "trivia_mrr_10"
    quoted = "accuracy ({}); on TriviaQA's questions, a second test set, {} in top-20 accuracy and {} in"
    assert quoted.format(*(on_both(gradient, "distillation", name)[2] for name in names)) in FINDINGS
    assert f"gains {on_both(gradient, gradient, settings=WEIGHTED)[2]} points" in metric
    weighted, searched = (REFERENCE.groups(settings)[QUESTIONS[0]][gradient] for settings in (WEIGHTED, ""))
    judged = [
        scores.plain({unit: run.curve[-1].validation["success_20"] for unit, run in seeds.items()})
        for seeds in (weighted, searched)
    ]
    for text in (FINDINGS, metric):
        assert f"validation questions ({told(*judged)}" in text


@pytest.mark.parametrize("folder", ["small-cuda", "retrieval"])
def test_the_gpu_runs_are_quoted_as_recorded(folder, tmp_path):
    """Over seeds alone; those of retrieval have settings that are no longer the reference's, on both devices."""
    ours, theirs = REFERENCE, Results.load(paths.REFERENCE / "small-cuda")
    if folder == "retrieval":
        for name in ("retrieval", "retrieval-cpu"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "records.jsonl").write_text((EVIDENCE / "gpu" / f"{name}.jsonl").read_text())
        theirs, ours = (Results.load(tmp_path / name) for name in ("retrieval", "retrieval-cpu"))
    text = (paths.ROOT / "docs" / "reproducibility.md").read_text()
    for group, rows in theirs.groups().items():
        metric = tasks.get(group.task).metric
        for method, seeds in rows.items():
            gpu = values(seeds, metric)
            cpu = {unit: one for unit, one in values(ours.groups()[group][method], metric).items() if unit in gpu}
            means = [100 * sum(found.values()) / len(gpu) for found in (cpu, gpu)]
            found = crossed.paired(scores.plain(gpu), scores.plain(cpu))
            assert found is not None
            low, mean, high = (100 * number + 0.0 for number in (found.low, found.mean, found.high))
            assert f"| {method} | {means[0]:.1f} | {means[1]:.1f} | {mean:+.1f} [{low:.1f}, {high:.1f}] |" in text
