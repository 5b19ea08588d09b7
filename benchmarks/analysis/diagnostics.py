"""What runs' diagnostics mean and warn of: to be read, never to choose by. `benchmarks.runs.diagnose` measures them."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd

from benchmarks.records.groups import Cells, Groups
from benchmarks.records.record import Record

#: What each number means; shares of samples in [0, 1] unless a unit is given.
MEANING = {
    "held_out_agreement": "held-out samples on which student and labeler give the same class",
    "held_out_kl": "KL(labeler || student) on them, nats, temperature 1",
    "real_agreement": "the same of the training samples",
    "real_kl": "the same of the training samples, nats",
    "made_agreement": "the same of the samples that the method generated and showed beside its batch's real ones",
    "made_kl": "the same of the generated samples, nats",
    "made_entropy": "mean entropy of the labeler's answers on the generated samples, nats",
    "made_classes": "effective number of classes that the labeler puts them into: exp of the entropy of the shares",
    "made_few_shot": "generated samples that the labeler puts into few-shot classes",
    "real_few_shot": "training samples that are of few-shot classes",
    "made_duplicates": "generated samples that equal another of the generated ones looked at",
    "made_copies": "generated samples that equal a training sample",
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


def frame(groups: Groups) -> pd.DataFrame:
    """One row a (group, method) of which any run was looked at: means over seeds, and the warnings of any seed."""
    rows = []
    for group, cells in groups.items():
        for method, seeds in cells.items():
            seen = [record for record in seeds.values() if record is not None and record.diagnostics]
            if not seen:
                continue
            row = {**group._asdict(), "method": method, "n_seeds": len(seen)}
            for name in MEANING:
                known = [record.diagnostics[name] for record in seen if name in record.diagnostics]
                row[name] = float(np.mean(known)) if known else math.nan
            row["alarms"] = "; ".join(dict.fromkeys(told for record in seen for told in _of_record(record)))
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_record(record: Record) -> list[str]:
    return warnings(record.diagnostics, bool(record.costs.get("decodes")))


def warnings(found: dict[str, float], decoded: bool = True) -> list[str]:
    """What in a run's diagnostics a reader should look at before believing its score.

    decoded: its generated samples come from a decoder; of a method that shows training samples again copies are no
    news.
    """
    out = []
    if found.get("predicted_classes", math.inf) < found.get("labelled_classes", 0) / 2:
        out.append("the student's answers have collapsed to under half of the labeler's effective number of classes")
    if found.get("made_classes", math.inf) < found.get("real_classes", 0) / 2:
        out.append("generated samples have under half of the training samples' effective number of classes")
    if found.get("made_duplicates", 0) > 0.5:
        out.append("more than half of the generated samples are duplicates of each other")
    if decoded and found.get("made_copies", 0) > 0.5:
        out.append("more than half of the generated samples are copies of training samples")
    return out


def of_group(cells: Cells) -> list[str]:
    """The warnings of a group's runs in words: each with the methods it is of and how many of their runs."""
    found: dict[str, list[str]] = {}
    for method, seeds in cells.items():
        looked = [record for record in seeds.values() if record is not None and record.diagnostics]
        for told, count in Counter(told for record in looked for told in _of_record(record)).items():
            found.setdefault(told, []).append(f"{method} ({count} of {len(looked)} runs)")
    return [f"{told}: {', '.join(methods)}" for told, methods in found.items()]
