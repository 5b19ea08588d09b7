"""A method set against rivals on one group of records: what the statistics say, and the words for it.

Reads records only. The seed is the unit of replication, paired across methods; the test samples' own error is apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.analysis import stats
from benchmarks.metrics.classification import label
from benchmarks.records import checkpoints as selection
from benchmarks.records.checkpoints import COSTS, RULES
from benchmarks.records.record import Record, unpack
from benchmarks.registry import tasks
from benchmarks.report import tables
from benchmarks.report.tables import Cells, Group

ALPHA = 1 - stats.LEVEL
#: Metrics that are means of a record's hits: over samples, or over classes and then their samples.
_OF_HITS = {"accuracy": False, "success_20": False, "balanced_accuracy": True}


@dataclass(frozen=True)
class Pair:
    """Ours against one rival; differences are ours - theirs, in fractions, over the seeds that both have.

    Attributes:
        difference: paired, with the t interval and the t test's p. holm: that p, corrected over the rivals.
        bootstrap: percentile interval. flips, wilcoxon: p of the sign-flip permutation test and of Wilcoxon's.
        improvement: P(a run of ours above one of theirs). detectable: what these seeds would have shown 4 times in 5
            at the strictest level of Holm's correction, a p below alpha / rivals.
        sample_error: standard error of the difference from the finite test set, the trained students held fixed.
        by_rule: paired difference under each rule of selection. at_cost: (amount, paired difference) at equal costs.
    """

    rival: str
    difference: stats.Difference
    holm: float
    bootstrap: tuple[float, float]
    flips: float
    wilcoxon: float
    improvement: float
    detectable: float
    sample_error: float | None
    by_rule: dict[str, stats.Difference | None]
    at_cost: dict[str, tuple[float, stats.Difference | None]]

    def verdict(self, alpha: float = ALPHA) -> str:
        if not self.holm < alpha:
            return "not told apart from"
        return "better than" if self.difference.mean > 0 else "worse than"


def pairs(ours: str, group: Cells, metric: str, labels: np.ndarray | None = None, alpha: float = ALPHA) -> list[Pair]:
    """One `Pair` for each rival with a common finished seed, in the order of the group.

    Args:
        labels: classes of the test samples (N,), for the test-sample error of a balanced accuracy.
        alpha: the level that corrected p values are held against.
    """
    mine = tables.values(group[ours], metric)
    found = {
        rival: difference
        for rival, seeds in group.items()
        if rival != ours and (difference := stats.paired(mine, tables.values(seeds, metric))) is not None
    }
    corrected = stats.holm([difference.p for difference in found.values()])
    return [
        _pair(ours, rival, difference, holm, group, metric, labels, 1 - alpha / len(found))
        for (rival, difference), holm in zip(found.items(), corrected, strict=True)
    ]


def _pair(
    ours: str,
    rival: str,
    difference: stats.Difference,
    holm: float,
    group: Cells,
    metric: str,
    labels: np.ndarray | None,
    strictest: float,
) -> Pair:
    mine, theirs = tables.values(group[ours], metric), tables.values(group[rival], metric)
    differences = [mine[seed] - theirs[seed] for seed in sorted(mine.keys() & theirs.keys())]
    return Pair(
        rival=rival,
        difference=difference,
        holm=holm,
        bootstrap=stats.bootstrap(differences),
        flips=stats.sign_flip(differences),
        wilcoxon=stats.wilcoxon(differences),
        improvement=stats.probability_of_improvement(list(mine.values()), list(theirs.values())),
        detectable=stats.detectable(differences, strictest),
        sample_error=sample_error(group[ours], group[rival], metric, labels),
        by_rule={
            rule: stats.paired(
                selection.scores(group[ours], metric, rule), selection.scores(group[rival], metric, rule)
            )
            for rule in RULES
        },
        at_cost={cost: _at_equal_cost(group[ours], group[rival], metric, cost) for cost in COSTS},
    )


def _at_equal_cost(
    ours: dict[int, Record | None], theirs: dict[int, Record | None], metric: str, cost: str
) -> tuple[float, stats.Difference | None]:
    """The difference where each seed's two runs had paid what the cheaper of them does in the end; the mean of that."""
    amounts, reached = [], ({}, {})  # type: tuple[list[float], tuple[dict, dict]]
    for seed in sorted(ours.keys() & theirs.keys()):
        two = [record for record in (ours[seed], theirs[seed]) if record is not None and record.status == "ok"]
        if len(two) < 2:
            continue
        amounts.append(min(COSTS[cost](record.curve[-1]) for record in two))
        for found, record in zip(reached, two, strict=True):
            if (value := selection.at_cost(record, metric, cost, amounts[-1])) is not None:
                found[seed] = value
    return (float(np.mean(amounts)) if amounts else math.nan), stats.paired(*reached)


def sample_error(
    ours: dict[int, Record | None], theirs: dict[int, Record | None], metric: str, labels: np.ndarray | None
) -> float | None:
    """Standard error that the test samples give the mean difference; None where records hold no hits for the metric.

    Each sample's difference in hits, averaged over the common seeds, is one draw: over all samples, or within the
    classes of a balanced accuracy.
    """
    differences = []
    for seed in sorted(ours.keys() & theirs.keys()):
        hits = [unpack(record.hits) for record in (ours[seed], theirs[seed]) if record is not None]
        if len(hits) < 2 or hits[0] is None or hits[1] is None:
            return None
        differences.append(hits[0].astype(float) - hits[1])
    if not differences or metric not in _OF_HITS or (_OF_HITS[metric] and labels is None):
        return None
    each = np.mean(differences, 0)
    classes = labels[: len(each)] if _OF_HITS[metric] and labels is not None else np.zeros(len(each), int)
    parts = [each[classes == c] for c in np.unique(classes)]
    errors = [part.var(ddof=1) / len(part) if len(part) > 1 else 0.0 for part in parts]
    return float(math.sqrt(sum(errors)) / len(parts))


def flips(found: list[Pair]) -> list[str]:
    """Warnings where another rule of selection turns the sign of a difference, one a rival."""
    out = []
    for pair in found:
        turned = {r: d for r, d in pair.by_rule.items() if d is not None and d.mean * pair.difference.mean < 0}
        if turned:
            others = ", ".join(f"{_points(other)} at the {rule}" for rule, other in turned.items())
            out.append(
                f"The order against {pair.rival} turns with the checkpoint reported: {_points(pair.difference)} points "
                f"at the last step, {others}."
            )
    return out


def conclusion(ours: str, name: Group, group: Cells, found: list[Pair], alpha: float = ALPHA) -> str:
    """One paragraph in plain words, computed from the statistics."""
    task_name, teacher, budget, _ = name
    task = tasks.get(task_name)
    mine = list(tables.values(group[ours], task.metric).values())
    if not mine:
        return f"{ours} has no finished run on {task_name}, so nothing can be said of it."
    level = stats.interval(mine)
    half = "" if level.n < 2 else f" ± {100 * level.half:.1f}"
    out = [
        f"On {task.title} ({budget:,} labelled samples, teacher {teacher}, {level.n} seeds) {ours} reaches "
        f"{100 * level.mean:.1f}{half} % {label(task.metric)}."
    ]
    for verdict in ("better than", "worse than", "not told apart from"):
        if rivals := [pair for pair in found if pair.verdict(alpha) == verdict]:
            told = "; ".join(_told(pair, verdict) for pair in rivals)
            out.append(f"It is {verdict} {told}.")
    tgt = [pair for pair in found if tables.is_tgt(pair.rival)]
    if tgt:
        beaten = [pair.rival for pair in tgt if pair.verdict(alpha) == "better than"]
        lost = [pair.rival for pair in tgt if pair.verdict(alpha) == "worse than"]
        answer = "Yes" if len(beaten) == len(tgt) else "No" if lost else "Not shown"
        out.append(f"Is it better than TGT here? {answer}: better than {len(beaten)} of {len(tgt)} rows of TGT.")
    costs = ", ".join(
        f"{method} {_mean_cost(seeds, 'seconds'):.0f} s and {_mean_cost(seeds, 'labeler_queries'):,.0f} labeler queries"
        for method, seeds in group.items()
        if method == ours or tables.is_tgt(method)
        if tables.values(seeds, task.metric)
    )
    out.append(f"A run costs: {costs}.")
    return " ".join([*out, *flips(found)])


def _told(pair: Pair, verdict: str) -> str:
    d = pair.difference
    numbers = f"{pair.rival} ({_points(d)} points"
    if d.n > 1:
        numbers += f" [{100 * d.low:+.1f}, {100 * d.high:+.1f}], Holm-corrected p = {pair.holm:.2g}"
    if verdict == "not told apart from" and d.n > 1:
        numbers += f"; these {d.n} seeds would have shown {100 * pair.detectable:.1f} points 4 times in 5"
    return numbers + ")"


def _points(difference: stats.Interval) -> str:
    return f"{100 * difference.mean:+.1f}"


def _mean_cost(seeds: dict[int, Record | None], name: str) -> float:
    return float(np.mean([r.costs[name] for r in seeds.values() if r is not None and r.status == "ok"]))


def frame(ours: str, name: Group, found: list[Pair]) -> pd.DataFrame:
    """One row a rival, differences in fractions: what the paragraph and the table are written from."""
    task, teacher, budget, _ = name
    rows = []
    for pair in found:
        row = {
            "task": task, "teacher": teacher, "budget": budget, "method": ours, "rival": pair.rival,
            "n_seeds": pair.difference.n, "diff": pair.difference.mean, "low": pair.difference.low,
            "high": pair.difference.high, "p": pair.difference.p, "p_holm": pair.holm, "p_sign_flip": pair.flips,
            "p_wilcoxon": pair.wilcoxon, "bootstrap_low": pair.bootstrap[0], "bootstrap_high": pair.bootstrap[1],
            "probability_of_improvement": pair.improvement, "detectable": pair.detectable,
            "test_sample_error": pair.sample_error,
        }  # fmt: skip
        row |= {f"diff at {rule}": None if d is None else d.mean for rule, d in pair.by_rule.items()}
        row |= {f"diff at equal {cost}": None if d is None else d.mean for cost, (_, d) in pair.at_cost.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def table(found: list[Pair], alpha: float = ALPHA) -> list[str]:
    """Markdown: one row a rival."""
    costs = list(COSTS)[1:]  # at equal updates is the table's own comparison
    heads = [
        "against",
        "Δ points [95 %]",
        "Holm p",
        "verdict",
        "sign-flip p",
        "Wilcoxon p",
        "bootstrap",
        "P(improvement)",
    ]
    heads += ["detectable", "test-sample error", "Δ best on validation", *(f"Δ at equal {cost}" for cost in costs)]
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for pair in found:
        d = pair.difference
        low, high = pair.bootstrap
        cells = [
            pair.rival,
            _points(d) + ("" if d.n < 2 else f" [{100 * d.low:+.1f}, {100 * d.high:+.1f}]"),
            _p(pair.holm),
            pair.verdict(alpha).removesuffix(" than").removesuffix(" from"),
            _p(pair.flips),
            _p(pair.wilcoxon),
            "n/a" if math.isnan(low) else f"[{100 * low:+.1f}, {100 * high:+.1f}]",
            f"{pair.improvement:.2f}",
            "n/a" if math.isnan(pair.detectable) else f"{100 * pair.detectable:.1f}",
            "n/a" if pair.sample_error is None else f"± {100 * pair.sample_error:.1f}",
            _maybe(pair.by_rule["best on validation"]),
            *(_maybe(pair.at_cost[cost][1]) + f" ({pair.at_cost[cost][0]:,.0f})" for cost in costs),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    notes = (
        "Δ: paired over seeds, the rival subtracted, in points, with the t interval. Holm p: the paired t test, "
        "corrected over these rivals; the verdict goes by it. Sign-flip p cannot fall below 2^(1 - seeds). Detectable: "
        "the true difference that these seeds show 4 times in 5, corrected alike. Test-sample error: standard error "
        "from the finite test set, the students held fixed. Equal costs: at the last checkpoint within the cheaper "
        "one's whole cost (in brackets); a run cut there had not finished its schedule."
    )
    return [*lines, "", notes]


def _p(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.2g}"


def _maybe(difference: stats.Difference | None) -> str:
    return "n/a" if difference is None else _points(difference)
