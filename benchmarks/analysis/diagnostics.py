"""What runs' diagnostics mean and warn of: to be read, never to choose by. `runs.diagnose` measures them."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from benchmarks.records.record import Record
    from benchmarks.report.tables import Cells, Group

#: What each number means; of samples where no unit is told, shares in [0, 1].
MEANING = {
    "held_out_agreement": "held-out samples on which student and labeler give the same class",
    "held_out_kl": "KL(labeler || student) on them, nats, temperature 1",
    "real_agreement": "the same of the training samples",
    "real_kl": "the same of the training samples, nats",
    "made_agreement": "the same of the samples that the method made and showed beside its batch's real ones",
    "made_kl": "the same of the made samples, nats",
    "made_entropy": "mean entropy of the labeler's answers on the made samples, nats",
    "made_classes": "effective number of classes that the labeler puts them into: exp of the entropy of the shares",
    "made_few_shot": "made samples that the labeler puts into few-shot classes",
    "real_few_shot": "training samples that are of few-shot classes",
    "made_duplicates": "made samples that equal another of the made ones looked at",
    "made_copies": "made samples that equal a training sample",
    "real_classes": "the same of as many training samples",
    "predicted_classes": "effective number of classes that the student puts held-out samples into",
    "labelled_classes": "effective number of classes that the labeler puts them into",
    "latent_distance": "mean distance from a starting latent to the explored one",
    "input_distance": "between their decoded inputs: root mean square (images), or share of words that differ (text)",
    "class_kept": "explored samples to which the labeler gives the class of what it started from",
    "disagreement_start": "KL(labeler || student) of what the starting latents are decoded to, nats",
    "disagreement_noise": "the same after the noise, nats",
    "disagreement_end": "the same after noise and ascent, nats",
}

COLUMNS = ["task", "teacher", "budget", "match", "method", "n_seeds", *MEANING, "alarms"]


def frame(groups: dict[Group, Cells]) -> pd.DataFrame:
    """One row a (group, method) of which any run was looked at: means over seeds, and the alarms of any seed."""
    rows = []
    for (task, teacher, budget, match), group in groups.items():
        for method, seeds in group.items():
            seen = [record for record in seeds.values() if record is not None and record.diagnostics]
            if not seen:
                continue
            looked = [record.diagnostics for record in seen]
            row = {"task": task, "teacher": teacher, "budget": budget, "match": match, "method": method}
            row["n_seeds"] = len(looked)
            for name in MEANING:
                known = [found[name] for found in looked if name in found]
                row[name] = float(np.mean(known)) if known else math.nan
            row["alarms"] = "; ".join(dict.fromkeys(alarm for record in seen for alarm in _alarms(record)))
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _alarms(record: Record) -> list[str]:
    return alarms(record.diagnostics, bool(record.costs.get("decodes")))


def alarms(found: dict[str, float], decoded: bool = True) -> list[str]:
    """What in a run's diagnostics a reader should look at before believing its score.

    decoded: its made samples come from a decoder; of a row that shows training samples again copies are no news.
    """
    out = []
    if found.get("predicted_classes", math.inf) < found.get("labelled_classes", 0) / 2:
        out.append("the student's answers have collapsed to under half of the labeler's effective number of classes")
    if found.get("made_classes", math.inf) < found.get("real_classes", 0) / 2:
        out.append("made samples have under half of the training samples' effective number of classes")
    if found.get("made_duplicates", 0) > 0.5:
        out.append("more than half of the made samples are duplicates of each other")
    if decoded and found.get("made_copies", 0) > 0.5:
        out.append("more than half of the made samples are copies of training samples")
    return out


def alarmed(group: Cells) -> list[str]:
    """The alarms of a group's runs in words: the alarm, and the methods that ring it with how many of their runs."""
    rung: dict[str, list[str]] = {}
    for method, seeds in group.items():
        looked = [record for record in seeds.values() if record is not None and record.diagnostics]
        for alarm, count in Counter(alarm for record in looked for alarm in _alarms(record)).items():
            rung.setdefault(alarm, []).append(f"{method} ({count} of {len(looked)} runs)")
    return [f"{alarm}: {', '.join(methods)}" for alarm, methods in rung.items()]
