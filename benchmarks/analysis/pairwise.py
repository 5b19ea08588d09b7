"""A method set against rivals on one group of records: what the statistics say, and the words for it.

Reads records only. The seed is the unit of replication, paired across methods; the test samples' own error is apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.analysis import stats, summary
from benchmarks.metrics.classification import label
from benchmarks.records import checkpoints
from benchmarks.records.checkpoints import COSTS, RULES
from benchmarks.records.groups import Cells, Group, Seeds, Unit, finished, values
from benchmarks.records.record import unpack
from benchmarks.registry import tasks
from benchmarks.registry.methods import fact

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 1 - stats.LEVEL
#: What a comparison says of a pair, in the order in which a conclusion tells them.
BETTER, WORSE, OPEN = VERDICTS = ("better than", "worse than", "not significantly different from")
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
        by_rule: paired difference under each rule of checkpoints. at_cost: (amount, paired difference) at equal costs.
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
            return OPEN
        return BETTER if self.difference.mean > 0 else WORSE


def pairs(ours: str, group: Cells, metric: str, labels: np.ndarray | None = None, alpha: float = ALPHA) -> list[Pair]:
    """One `Pair` for each rival with a common finished seed, in the order of the group.

    Args:
        labels: classes of the test samples (N,), for the test-sample error of a balanced accuracy.
        alpha: the level that corrected p values are held against.
    """
    mine = values(group[ours], metric)
    found = {
        rival: difference
        for rival, seeds in group.items()
        if rival != ours and (difference := stats.paired(mine, values(seeds, metric))) is not None
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
    mine, theirs = values(group[ours], metric), values(group[rival], metric)
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
                checkpoints.scores(group[ours], metric, rule), checkpoints.scores(group[rival], metric, rule)
            )
            for rule in RULES
        },
        at_cost={cost: _at_equal_cost(group[ours], group[rival], metric, cost) for cost in COSTS},
    )


def _at_equal_cost(ours: Seeds, theirs: Seeds, metric: str, cost: str) -> tuple[float, stats.Difference | None]:
    """The difference where each seed's two runs had paid what the cheaper of them does in the end; the mean of that."""
    amounts: list[float] = []
    reached: tuple[dict[Unit, float], dict[Unit, float]] = {}, {}
    mine, others = finished(ours), finished(theirs)
    for seed in sorted(mine.keys() & others.keys()):
        amounts.append(min(COSTS[cost](record.curve[-1]) for record in (mine[seed], others[seed])))
        for found, record in zip(reached, (mine[seed], others[seed]), strict=True):
            if (value := checkpoints.at_cost(record, metric, cost, amounts[-1])) is not None:
                found[seed] = value
    return (float(np.mean(amounts)) if amounts else math.nan), stats.paired(*reached)


def sample_error(ours: Seeds, theirs: Seeds, metric: str, labels: np.ndarray | None) -> float | None:
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


def turns(found: list[Pair]) -> list[str]:
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
    task = tasks.get(name.task)
    mine = list(values(group[ours], task.metric).values())
    if not mine:
        return f"{ours} has no finished run on {name.task}, so nothing can be said of it."
    level = stats.interval(mine)
    out = [
        f"On {task.title} ({name.budget:,} labelled samples, teacher {name.teacher}, {level.n} seeds) {ours} reaches "
        f"{level.percent} % {label(task.metric)}."
    ]
    for verdict in VERDICTS:
        if rivals := [pair for pair in found if pair.verdict(alpha) == verdict]:
            told = "; ".join(_told(pair, verdict) for pair in rivals)
            out.append(f"It is {verdict} {told}.")
    tgt = [pair for pair in found if fact(pair.rival).is_tgt]
    if tgt:
        beaten = [pair.rival for pair in tgt if pair.verdict(alpha) == BETTER]
        lost = [pair.rival for pair in tgt if pair.verdict(alpha) == WORSE]
        answer = "Yes" if len(beaten) == len(tgt) else "No" if lost else "Not shown"
        out.append(f"Is it better than TGT here? {answer}: better than {len(beaten)} of {len(tgt)} variants of TGT.")
    costs = ", ".join(
        f"{method} {summary.mean_cost(seeds, 'seconds'):.0f} s and "
        f"{summary.mean_cost(seeds, 'labeler_queries'):,.0f} labeler queries"
        for method, seeds in group.items()
        if method == ours or fact(method).is_tgt
        if values(seeds, task.metric)
    )
    out.append(f"A run costs: {costs}.")
    return " ".join([*out, *turns(found)])


def _told(pair: Pair, verdict: str) -> str:
    d = pair.difference
    numbers = f"{pair.rival} ({_points(d)} points" + (
        f" {d.bounds}, Holm-corrected p = {pair.holm:.2g}" if d.n > 1 else ""
    )
    if verdict == OPEN and d.n > 1:
        numbers += f"; these {d.n} seeds would have shown {100 * pair.detectable:.1f} points 4 times in 5"
    return numbers + ")"


def _points(difference: stats.Interval) -> str:
    return f"{100 * difference.mean:+.1f}"


def frame(ours: str, name: Group, found: list[Pair]) -> pd.DataFrame:
    """One row a rival, differences in fractions: what the paragraph and the table are written from."""
    import pandas as pd

    rows = []
    for pair in found:
        row = {
            "task": name.task, "teacher": name.teacher, "budget": name.budget, "method": ours, "rival": pair.rival,
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
