"""What the records say of the paper's claims: supported, contradicted or undecided, each by one check's interval."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

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

#: Two rows, a task, its teacher and a budget.
Place = tuple[str, str, str, str, int]
#: A row, a task, its teacher and a budget.
Cell = tuple[str, str, str, int]


@dataclass(frozen=True)
class Gain:
    """`better` less `worse` over the budgets of a check.

    Attributes:
        rows: of each budget, which rows stood for the two. searches: the orders that searches are asked of, of rows in
            one cell; those of two budgets or teachers have searches apart. cells: all that were read.
    """

    scores: Scores
    rows: tuple[tuple[str, str], ...] = ()
    searches: tuple[Place, ...] = ()
    cells: tuple[Cell, ...] = ()


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
        _verdict(check, one, looked, raw, holm, orders)
        for check, (one, looked), raw, holm in zip(checks, found, p, corrected, strict=True)
    )
    words = f"{asked(claim.primary)}: {primary.numbers}"
    if secondary:
        counts, order = Counter(one.outcome for one in secondary), (SUPPORTED, UNDECIDED, CONTRADICTED, MISSING)
        words += "; secondary: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in order if counts[outcome])
    return Judged(claim, primary.outcome, words, primary, secondary)


def _verdict(
    check: Check, found: stats.Difference | None, looked: Gain, p: float, corrected: float, orders: Orders
) -> Verdict:
    if found is None:
        return Verdict(check, MISSING, "no common seed is recorded")
    numbers = f"{100 * found.mean:+.1f} {_unit(check)}"
    if math.isnan(p):
        numbers += f", {found.n} seed{'s' * (found.n > 1)}: no spread to judge by"
        return Verdict(check, UNDECIDED, numbers, found)
    numbers += f" {found.bounds}, {found.n} seeds, p = {p:.2g}"
    numbers += "" if p == corrected else f", Holm's {corrected:.2g}"
    numbers += "".join(f"; {asked_for} is {names}" for names, asked_for in _stood(check, looked.rows))
    search = max((chance for one in looked.searches if (chance := orders.chance(*one)) is not None), default=None)
    outcome = UNDECIDED if corrected >= 1 - stats.LEVEL else SUPPORTED if _true(check, found) else CONTRADICTED
    if search is not None and search > DECIDED:
        numbers += f"; the search decides: another of its size would turn the order with probability {search:.2f}"
        outcome = UNDECIDED
    if any(orders.outdated(*cell) for cell in looked.cells):
        numbers += "; tuned by an earlier version of the search"
        outcome = UNDECIDED
    return Verdict(check, outcome, numbers, found, p, corrected, search)


def _stood(check: Check, rows: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """The rows that were chosen on validation, with the words that asked for them."""
    of_both = ((0, check.better), (1, check.worse))
    stood = [(", ".join(dict.fromkeys(one[i] for one in rows)), asked_for) for i, asked_for in of_both]
    return [(names, asked_for) for names, asked_for in stood if names and names != asked_for]


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


def difference(check: Check, groups: Groups) -> tuple[stats.Difference | None, Gain]:
    """What a check comes to, and all that it looked at.

    Runs and test samples are paired; but gains on two tasks share neither.
    """
    gain = _gain(check, groups, Than())
    if check.than is None:
        return crossed.estimate(gain.scores), gain
    other = _gain(check, groups, check.than)
    two_tasks = check.than.task not in ("", check.task)
    found = (crossed.apart if two_tasks else crossed.paired)(gain.scores, other.scores)
    # Of the same rows under another metric, which no search looks at, the order may well be the other.
    searches = gain.searches + (() if check.than.metric else other.searches)
    return found, replace(gain, rows=gain.rows + other.rows, searches=searches, cells=gain.cells + other.cells)


def _gain(check: Check, groups: Groups, than: Than) -> Gain:
    """Where the check is, or where `than` says: the mean over its budgets."""
    task, metric = than.task or check.task, than.metric or check.metric
    budgets = (than.budget,) if than.budget else check.budget or _usual(task)
    found, rows, read = [], [], list[Cell]()
    for budget, worse_budget in zip(budgets, check.worse_budget or budgets, strict=True):
        cells = groups.get(Group(task, check.teacher, budget, "samples"), {})
        others = groups.get(Group(task, check.worse_teacher or check.teacher, worse_budget, "samples"), {})
        chosen_by = metric.split(" + ")[0]
        better, worse = summary.best_of(cells, check.better, chosen_by), summary.best_of(others, check.worse, chosen_by)
        if better is None or worse is None:
            return Gain(scores.plain({}))
        mine, theirs = _scores(cells, better, metric), _scores(others, worse, metric)
        found.append(_share(mine, theirs) if check.relative else mine - theirs)
        rows.append((better, worse))
        read += [(better, task, check.teacher, budget)]
        read += [(worse, task, check.worse_teacher or check.teacher, worse_budget)]
    if not found:
        return Gain(scores.plain({}))
    whole, apart = scores.mean(tuple(found)), check.worse_budget or check.worse_teacher
    turned = bool(len(whole.values)) and whole.values.mean() < 0  # the row that is ahead comes first
    pairs = [(worse, better) if turned else (better, worse) for better, worse in rows]
    searches = [(*pair, task, check.teacher, budget) for pair, budget in zip(pairs, budgets, strict=True)]
    return Gain(whole, tuple(rows), () if apart else tuple(searches), tuple(read))


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
