"""What the records say of the paper's claims: supported, contradicted or undecided, each by one check's interval."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from benchmarks.analysis import crossed, ledger, scores, stats, summary
from benchmarks.analysis.ledger import Check, Claim, Than
from benchmarks.analysis.scores import Scores
from benchmarks.analysis.search_orders import DECIDED, Orders
from benchmarks.metrics.classification import label
from benchmarks.records.groups import Cells, Group, Groups
from benchmarks.registry import tasks

SUPPORTED, CONTRADICTED, UNDECIDED, MISSING = "supported", "contradicted", "undecided", "not recorded"
CANNOT = "cannot run here"
#: How verdicts are reached, for those who read them.
METHOD = (
    "Each claim is decided by one check, the one of its rule, and by that check's 95 % interval over seeds, teacher "
    "draws and test samples. Where another search of the same size would turn the order of the two rows in more than "
    "5 of 100 cases, the search decides and the claim is undecided; so it is where a row was tuned by an earlier "
    "version of the search, which tried fewer settings. Further checks are secondary: they are shown, "
    "corrected for their number by Holm, and have no effect on the verdict. Confirmed, recalled or unknown: how surely "
    "the paper claims it; published: the paper's number, not available until someone who has the paper fills it in."
)

#: A row, a task, its teacher and a budget.
Cell = tuple[str, str, str, int]


@dataclass(frozen=True)
class Gain:
    """`better` less `worse` over the budgets of a check.

    Attributes:
        cells: of each budget, the two that were read, with the rows that stood for `better` and `worse`.
    """

    scores: Scores
    cells: tuple[tuple[Cell, Cell], ...] = ()

    def turns(self, orders: Orders) -> list[float | None]:
        """How likely another search would turn each order; rows of two budgets or teachers have searches apart."""
        behind = bool(self.scores.units) and self.scores.values.mean() < 0
        pairs = [(worse, better) if behind else (better, worse) for better, worse in self.cells]
        return [orders.chance(ahead[0], *other) for ahead, other in pairs if ahead[1:] == other[1:]]


@dataclass(frozen=True)
class Verdict:
    """What records say of a check, and the numbers behind it.

    Attributes:
        difference: None where nothing is recorded. p: of the check's question. corrected: by Holm, with the other
            secondary checks; of the primary one p itself. search: the probability that another search would turn it.
    """

    check: Check
    outcome: str
    numbers: str
    difference: stats.Difference | None = None
    p: float = math.nan
    corrected: float = math.nan
    search: float | None = None


@dataclass(frozen=True)
class Judged:
    """A claim with the verdict on it, as METHOD tells, the words for it, and the verdicts on its checks."""

    claim: Claim
    outcome: str
    told: str
    primary: Verdict | None
    secondary: list[Verdict]


def judge_all(groups: Groups, orders: Orders, *, every: bool = True) -> list[Judged]:
    """The verdict on each claim of the ledger; not `every`: only on those whose primary check was recorded."""
    found = [judge(claim, groups, orders) for claim in ledger.load()]
    return found if every else [one for one in found if one.outcome not in (MISSING, CANNOT)]


def judge(claim: Claim, groups: Groups, orders: Orders) -> Judged:
    """A claim's verdict, by its primary check."""
    if claim.primary is None:
        return Judged(claim, CANNOT, claim.cannot_run, None, [])
    checks = [claim.primary, *claim.secondary]
    found = [difference(check, groups) for check in checks]
    p = [_p(check, one) for check, (one, _) in zip(checks, found, strict=True)]
    corrected = [p[0], *stats.holm(p[1:])]
    primary, *secondary = (
        _verdict(check, one, gains, raw, holm, orders)
        for check, (one, gains), raw, holm in zip(checks, found, p, corrected, strict=True)
    )
    words = f"{asked(claim.primary)}: {primary.numbers}"
    if secondary:
        counts, order = Counter(one.outcome for one in secondary), (SUPPORTED, UNDECIDED, CONTRADICTED, MISSING)
        words += "; secondary: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in order if counts[outcome])
    return Judged(claim, primary.outcome, words, primary, secondary)


def _verdict(
    check: Check, found: stats.Difference | None, gains: list[Gain], p: float, corrected: float, orders: Orders
) -> Verdict:
    if found is None:
        return Verdict(check, MISSING, "no common seed is recorded")
    numbers = f"{100 * found.mean:+.1f} {_unit(check)}"
    if math.isnan(p):
        numbers += f", {found.n} seed{'s' * (found.n > 1)}: no spread to judge by"
        return Verdict(check, UNDECIDED, numbers, found)
    numbers += f" {found.bounds}, {found.n} seeds, p = {p:.2g}"
    numbers += "" if p == corrected else f", Holm's {corrected:.2g}"
    cells = [pair for gain in gains for pair in gain.cells]
    for asked_for, rows in zip((check.better, check.worse), zip(*cells, strict=True), strict=True):
        names = ", ".join(dict.fromkeys(row for row, *_ in rows))
        numbers += f"; {asked_for} is {names}" if names != asked_for else ""  # chosen on validation
    # Of the same rows under another metric, which no search looks at, the order may well be the other.
    asked_of = gains[:1] if check.than and check.than.metric else gains
    search = max((one for gain in asked_of for one in gain.turns(orders) if one is not None), default=None)
    outcome = UNDECIDED if corrected >= 1 - stats.LEVEL else SUPPORTED if _true(check, found) else CONTRADICTED
    if search is not None and search > DECIDED:
        numbers += f"; the search decides: another of its size would turn the order with probability {search:.2f}"
        outcome = UNDECIDED
    if any(orders.outdated(*cell) for pair in cells for cell in pair):
        numbers += "; tuned by an earlier version of the search"
        outcome = UNDECIDED
    return Verdict(check, outcome, numbers, found, p, corrected, search)


def _p(check: Check, found: stats.Difference | None) -> float:
    """Two-sided p of the check's question: which side of zero, of its margin, or of minus its margin."""
    if found is None:
        return math.nan
    if check.within is not None:
        return stats.beyond(found, abs(found.mean) - check.within / 100)
    if check.not_below is not None:
        return stats.beyond(found, found.mean + check.not_below / 100)
    return found.p


def _true(check: Check, found: stats.Difference) -> bool:
    """On which side the mean is."""
    if check.within is not None:
        return 100 * abs(found.mean) <= check.within
    return 100 * found.mean + (check.not_below or 0) > 0


def difference(check: Check, groups: Groups) -> tuple[stats.Difference | None, list[Gain]]:
    """What a check comes to, and of which gains.

    Runs and test samples are paired; but gains on two tasks share neither.
    """
    gain = _gain(check, groups, Than())
    if check.than is None:
        return crossed.estimate(gain.scores), [gain]
    other = _gain(check, groups, check.than)
    two_tasks = check.than.task not in ("", check.task)
    return (crossed.apart if two_tasks else crossed.paired)(gain.scores, other.scores), [gain, other]


def _gain(check: Check, groups: Groups, than: Than) -> Gain:
    """Where the check is, or where `than` says: the mean over its budgets."""
    task, metric = than.task or check.task, than.metric or check.metric
    budgets = (than.budget,) if than.budget else check.budget or _usual(task)
    found, read, chosen_by = [], [], metric.split(" + ")[0]
    for budget, worse_budget in zip(budgets, check.worse_budget or budgets, strict=True):
        where, other = (task, check.teacher, budget), (task, check.worse_teacher or check.teacher, worse_budget)
        cells, others = (groups.get(Group(*place, "samples"), {}) for place in (where, other))
        better, worse = summary.best_of(cells, check.better, chosen_by), summary.best_of(others, check.worse, chosen_by)
        if better is None or worse is None:
            return Gain(scores.plain({}))
        mine, theirs = _scores(cells, better, metric), _scores(others, worse, metric)
        found.append(_share(mine, theirs) if check.relative else mine - theirs)
        read.append(((better, *where), (worse, *other)))
    return Gain(scores.mean(tuple(found)), tuple(read)) if found else Gain(scores.plain({}))


def _usual(task: str) -> tuple[int, ...]:
    """The budget that a task is usually run at; none of a task that is not known."""
    return (tasks.get(task).sizes["small"].budget,) if tasks.known(task) else ()


def _scores(cells: Cells, method: str, metric: str) -> Scores:
    return scores.mean(tuple(scores.of(cells[method], one) for one in metric.split(" + ")))


def _share(ours: Scores, theirs: Scores) -> Scores:
    """The share of the error left by `theirs` that `ours` takes away: (a - b) / (1 - b)."""
    return scores.combine(
        (ours, theirs),
        lambda a, b: (a - b) / (1 - b),
        lambda a, b: (1 / (1 - b), (a - 1) / (1 - b) ** 2),
    )


def _unit(check: Check) -> str:
    return f"per cent of the error in {_metric(check)}" if check.relative else f"points in {_metric(check)}"


def _metric(check: Check) -> str:
    return " and ".join(map(_called, check.metric.split(" + ")))


def _called(metric: str) -> str:
    return f"{metric.replace('_', '-')} accuracy" if metric.endswith("_shot") else label(metric)


def asked(check: Check) -> str:
    """What a check asks, in words."""
    budgets = check.budget or _usual(check.task)
    size = f"{', '.join(f'{budget:,}' for budget in budgets)} samples" if budgets else "its usual number of samples"
    size += ", their mean" if len(budgets) > 1 else ""
    where = f"{check.task}, teacher {check.teacher}, {size}"
    other = check.worse
    if check.worse_budget:
        other += f" with {', '.join(f'{budget:,}' for budget in check.worse_budget)} samples"
    if check.worse_teacher:
        other += f" under the {check.worse_teacher} teacher"
    if check.than is None:
        relation = "above" if check.not_below is None else f"no more than {check.not_below:g} points below"
        relation = relation if check.within is None else f"within {check.within:g} points of"
        return f"{check.better} {relation} {other} ({where})"
    relation = "above that" if check.within is None else f"within {check.within:g} points of that"
    than = check.than
    places = [f"on {than.task}"] * bool(than.task) + [f"with {than.budget:,} samples"] * bool(than.budget)
    places += [f"in {_called(than.metric)}"] * bool(than.metric)
    gain = "share of the error taken away by" if check.relative else "gain of"
    return f"{gain} {check.better} over {other} in {_metric(check)} ({where}) {relation} {' '.join(places)}"
