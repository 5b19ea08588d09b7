"""Looking at a comparison more than once: group-sequential bounds by alpha spending, and when to give up.

The level is spent over the looks as O'Brien & Fleming's bounds would, little at first and most of it at the last look,
by the function of Lan & DeMets (1983, Biometrika 70 (3)). The bounds come from the recursion of Armitage, McPherson &
Rowe (1969): the density of the score that has not crossed a bound yet, carried on from look to look by quadrature.

The bounds are of a normal score with independent increments. A t test at few seeds is held against them by its p value,
the significance level approach of Jennison & Turnbull (2000, section 4.4): a look rejects where p falls below the
normal bound's own p.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from functools import cache, lru_cache
from typing import Generic, TypeVar

import numpy as np
from scipy import optimize, special

from benchmarks.analysis import stats

#: Numbers of seeds at which `--seeds auto` looks.
LOOKS = (3, 5, 8, 12, 20)
#: A difference is given up where the chance that the last look still finds it has fallen below this.
FUTILE = 0.02
Place = TypeVar("Place", bound=Hashable)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


def spent(share: float, alpha: float) -> float:
    """Level spent on one side once a share of the information is in, of a two-sided `alpha` (Lan & DeMets 1983)."""
    return float(2 * special.ndtr(special.ndtri(alpha / 4) / math.sqrt(share)))


@lru_cache(maxsize=4096)
def bounds(shares: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """Of |z| at each look, so that all looks together reject a true null with probability `alpha`.

    Args:
        shares: of the information at each look, rising, the last of them 1.
    """
    found: list[float] = []
    nodes, density, before = np.zeros(1), np.ones(1), 0.0  # of the score z sqrt(share), times the quadrature's weights
    for share in shares:
        step = math.sqrt(share - before)
        left = spent(share, alpha) - (spent(before, alpha) if before else 0.0)

        def excess(bound: float, step=step, share=share, nodes=nodes, density=density, left=left) -> float:
            return float(density @ special.ndtr((nodes - bound * math.sqrt(share)) / step)) - left

        bound = 12.0 if excess(12.0) >= 0 else optimize.brentq(excess, 0.0, 12.0, xtol=1e-10)
        found.append(float(bound))
        edge = bound * math.sqrt(share)
        ahead = edge * _NODES
        kernel = np.exp(-(((ahead[:, None] - nodes) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi))
        nodes, density, before = ahead, (kernel @ density) * edge * _WEIGHTS, share
    return tuple(found)


def overall(p: float, look: int, looks: tuple[int, ...] = LOOKS) -> float:
    """p over all looks of one that was seen at a look: the smallest level whose bounds this look would have crossed.

    The repeated p value of Jennison & Turnbull (2000, section 9.3). The smallest over the looks so far may be corrected
    with those of other hypotheses by Holm's procedure, for each spends its level by itself (Maurer & Bretz 2013).
    """
    if math.isnan(p) or len(looks) == 1:
        return p
    levels, crossed = _levels(looks)
    score = -special.ndtri(p / 2)
    if score < crossed[0, look]:
        return 1.0
    return float(np.exp(np.interp(score, crossed[:, look], np.log(levels))))


@cache
def _levels(looks: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Levels (K,), falling, and each look's bound at them (K, L): close enough to interpolate between."""
    levels = np.geomspace(0.999, 1e-9, 400)
    return levels, np.array([bounds(_shares(looks), float(level)) for level in levels])


def conditional_power(p: float, look: int, alpha: float, looks: tuple[int, ...] = LOOKS) -> float:
    """Chance that the last look rejects at `alpha` if what was seen is the truth (Lan, Simon & Halperin 1982)."""
    shares = _shares(looks)
    score, share, last = -special.ndtri(p / 2), shares[look], bounds(shares, alpha)[-1]
    if share == 1:
        return float(score >= last)
    drift, left = score / math.sqrt(share), math.sqrt(1 - share)
    return float(special.ndtr((drift - last) / left) + special.ndtr((-drift - last) / left))


def _shares(looks: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(n / looks[-1] for n in looks)


class Watch(Generic[Place]):
    """Hypotheses that are tested together, followed from look to look.

    Attributes:
        overall: the smallest p over all looks so far, of each.
    """

    def __init__(self, looks: tuple[int, ...] = LOOKS, alpha: float = 1 - stats.LEVEL) -> None:
        self.looks, self.alpha = looks, alpha
        self.overall: dict[Place, float] = {}

    def see(self, look: int, p: Mapping[Place, float]) -> set[Place]:
        """Take in the p values of a look; those still worth another: neither decided nor hopeless.

        Decided is what Holm's procedure rejects over all hypotheses ever seen. Hopeless is what the last look would
        hardly find at the level that Holm leaves to those not decided; giving up makes no error of the first kind.
        """
        for place, one in p.items():
            now = overall(one, look, self.looks)
            before = self.overall.get(place, math.nan)
            self.overall[place] = now if not before <= now else before
        corrected = dict(zip(self.overall, stats.holm(list(self.overall.values())), strict=True))
        undecided = [place for place, one in corrected.items() if not one < self.alpha]
        level = self.alpha / max(len(undecided), 1)
        return {
            place
            for place in undecided
            if place in p and not conditional_power(p[place], look, level, self.looks) < FUTILE
        }
