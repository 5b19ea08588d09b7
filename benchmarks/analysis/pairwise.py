"""A method set against rivals on groups of records: what the statistics say, and the words for it.

Reads records only. Runs are paired across methods: the same seed, draw of the teacher, and test samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.analysis import crossed, scores, stats, summary
from benchmarks.metrics.classification import label
from benchmarks.records import checkpoints
from benchmarks.records.checkpoints import COSTS, RULES
from benchmarks.records.groups import TRIAL_SIZES, Cells, Group, Groups, Seeds, Unit, finished, size_of, values
from benchmarks.registry import tasks
from benchmarks.registry.methods import fact

ALPHA = 1 - stats.LEVEL
#: What a comparison says of a pair, in the order in which a conclusion tells them.
BETTER, WORSE, OPEN = VERDICTS = ("better than", "worse than", "not significantly different from")


@dataclass(frozen=True)
class Pair:
    """Ours against one rival; differences are ours - theirs, in fractions, over the replications that both have.

    Attributes:
        difference: paired, with an interval of all known parts of the error. overall: its p, over all looks that were
            taken at it. holm: that, corrected over all that the comparison tests.
        bootstrap: percentile interval. flips, wilcoxon: p of the sign-flip permutation test and of Wilcoxon's.
        improvement: P(a run of ours above one of theirs). detectable: what these runs would have shown 4 times in 5
            at the strictest level of Holm's correction, a p below alpha / tests.
        by_rule: paired difference under each rule of checkpoints. at_cost: (amount, paired difference) at equal costs.
    """

    rival: str
    difference: crossed.Estimate
    overall: float
    holm: float
    bootstrap: tuple[float, float]
    flips: float
    wilcoxon: float
    improvement: float
    detectable: float
    by_rule: dict[str, stats.Difference | None]
    at_cost: dict[str, tuple[float, stats.Difference | None]]

    def verdict(self) -> str:
        if not self.holm < ALPHA:
            return OPEN
        return BETTER if self.difference.mean > 0 else WORSE


#: Differences by group and rival.
Differences = dict[tuple[Group, str], crossed.Estimate]


def differences(ours: str, groups: Groups) -> Differences:
    """Ours less each rival of each group, over the replications that both have, where there is any."""
    found = {}
    for group, cells in groups.items():
        metric = tasks.get(group.task).metric
        mine = scores.of(cells[ours], metric)
        for rival, seeds in cells.items():
            difference = crossed.paired(mine, scores.of(seeds, metric)) if rival != ours else None
            if difference is not None:
                found[group, rival] = difference
    return found


def family(
    ours: str, groups: Groups, overall: Mapping[tuple[Group, str], float] | None = None
) -> dict[Group, list[Pair]]:
    """One `Pair` for each rival of each group, corrected over all of them together.

    Args:
        overall: p values over all looks; those of the differences as they stand by default.
    """
    found = differences(ours, groups)
    p = [(overall or {}).get(place, difference.p) for place, difference in found.items()]
    out: dict[Group, list[Pair]] = {group: [] for group in groups}
    strictest = 1 - ALPHA / max(len(found), 1)
    for ((group, rival), difference), one, holm in zip(found.items(), p, stats.holm(p), strict=True):
        metric, rows = tasks.get(group.task).metric, (groups[group][ours], groups[group][rival])
        mine, theirs = (scores.of(seeds, metric) for seeds in rows)
        of_seeds = [*(mine - theirs).by_seed.values()]
        error = difference.half / stats.quantile(difference.freedom, stats.LEVEL)
        pair = Pair(
            rival=rival,
            difference=difference,
            overall=one,
            holm=holm,
            bootstrap=stats.bootstrap(of_seeds),
            flips=stats.sign_flip(of_seeds),
            wilcoxon=stats.wilcoxon(of_seeds),
            improvement=stats.probability_of_improvement(mine.values.tolist(), theirs.values.tolist()),
            detectable=stats.detectable(error, difference.freedom, strictest),
            by_rule={rule: _paired(*(checkpoints.scores(one, metric, rule) for one in rows)) for rule in RULES},
            at_cost={cost: _at_equal_cost(*rows, metric, cost) for cost in COSTS},
        )
        out[group].append(pair)
    return out


def _paired(ours: dict[Unit, float], theirs: dict[Unit, float]) -> crossed.Estimate | None:
    return crossed.paired(scores.plain(ours), scores.plain(theirs))


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
    return (float(np.mean(amounts)) if amounts else math.nan), _paired(*reached)


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


def verdict(ours: str, name: Group, group: Cells, found: list[Pair]) -> tuple[str, str]:
    """A comparison in a line, and which of `VERDICTS` it is: against the rival that is best on validation samples."""
    task = tasks.get(name.task)
    if not found:
        return f"{name.label}: nothing to compare, for want of finished runs.", OPEN
    known = {pair.rival: one for pair in found if (one := summary.validation(group[pair.rival], task.metric)).units}
    best = max(found, key=lambda pair: known[pair.rival].values.mean() if pair.rival in known else -math.inf)
    told, chosen = best.verdict(), "its best rival on validation samples" if known else "its first rival"
    numbers = _with_bounds(best.difference)
    if size_of(group) in TRIAL_SIZES:
        return f"{name.label}: it runs, and nothing is decided; {numbers} against {best.rival}.", OPEN
    counts = [f"{one} {sum(pair.verdict() == one for pair in found)}" for one in (BETTER, WORSE)]
    return f"{name.label}: {told} {best.rival}, {chosen}: {numbers}; of {len(found)} rivals {', '.join(counts)}.", told


def conclusion(ours: str, name: Group, group: Cells, found: list[Pair]) -> str:
    """One paragraph in plain words, computed from the statistics."""
    task = tasks.get(name.task)
    level = crossed.estimate(scores.of(group[ours], task.metric))
    if level is None:
        return f"{ours} has no finished run on {name.task}, so nothing can be said of it."
    out = [
        f"On {task.title} ({name.budget:,} labelled samples, teacher {name.teacher}, size {size_of(group)}, "
        f"{level.n} seed{'s' * (level.n > 1)}) {ours} reaches {level.percent} % {label(task.metric)}."
    ]
    if size_of(group) in TRIAL_SIZES:
        return f"{out[0]} That it runs is all that this size shows."
    for verdict in VERDICTS:
        if rivals := [pair for pair in found if pair.verdict() == verdict]:
            told = "; ".join(_told(pair, verdict) for pair in rivals)
            out.append(f"It is {verdict} {told}.")
    tgt = [pair for pair in found if fact(pair.rival).is_tgt]
    if tgt:
        beaten = [pair.rival for pair in tgt if pair.verdict() == BETTER]
        lost = [pair.rival for pair in tgt if pair.verdict() == WORSE]
        answer = "Yes" if len(beaten) == len(tgt) else "No" if lost else "Not shown"
        out.append(f"Is it better than TGT here? {answer}: better than {len(beaten)} of {len(tgt)} variants of TGT.")
    costs = ", ".join(
        f"{method} {summary.seconds(summary.mean_cost(seeds, 'seconds'))} s and "
        f"{summary.mean_cost(seeds, 'labeler_queries'):,.0f} labeler queries"
        for method, seeds in group.items()
        if method == ours or fact(method).is_tgt
        if values(seeds, task.metric)
    )
    out.append(f"A run costs: {costs}.")
    return " ".join([*out, *turns(found)])


def _told(pair: Pair, verdict: str) -> str:
    d = pair.difference
    numbers = f"{pair.rival} ({_with_bounds(d)}"
    if math.isnan(d.half):
        return numbers + (f"; {d.n} equal differences tell" if d.n > 1 else "; one seed tells") + " no spread)"
    numbers += f", Holm-corrected p = {pair.holm:.2g}"
    if verdict == OPEN:
        numbers += f"; these {d.n} seeds would have shown {100 * pair.detectable:.1f} points 4 times in 5"
    return numbers + ")"


def _with_bounds(difference: stats.Difference) -> str:
    return f"{_points(difference)} points" + ("" if math.isnan(difference.half) else f" {difference.bounds}")


def _points(difference: stats.Difference) -> str:
    return f"{100 * difference.mean:+.1f}"


def frame(ours: str, name: Group, found: list[Pair]) -> pd.DataFrame:
    """One row a rival, differences in fractions: what the paragraph and the table are written from."""
    rows = []
    for pair in found:
        row = {
            "task": name.task, "teacher": name.teacher, "budget": name.budget, "method": ours, "rival": pair.rival,
            "n_seeds": pair.difference.n, "diff": pair.difference.mean, "low": pair.difference.low,
            "high": pair.difference.high, "p": pair.difference.p, "p_overall": pair.overall, "p_holm": pair.holm,
            "p_sign_flip": pair.flips, "p_wilcoxon": pair.wilcoxon,
            "bootstrap_low": pair.bootstrap[0], "bootstrap_high": pair.bootstrap[1],
            "probability_of_improvement": pair.improvement, "detectable": pair.detectable,
        }  # fmt: skip
        row |= {f"se_{part}": error for part, error in pair.difference.parts.errors.items()}
        row |= {f"diff at {rule}": None if d is None else d.mean for rule, d in pair.by_rule.items()}
        row |= {f"diff at equal {cost}": None if d is None else d.mean for cost, (_, d) in pair.at_cost.items()}
        rows.append(row)
    return pd.DataFrame(rows)
