"""Folders in the format of BEIR, and DPR's rule of which passage holds an answer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.core.errors import BadInput
from benchmarks.data.answer_matching import holding
from benchmarks.own import RetrievalData

WORDS = [f"{a}{b}" for a in ("ba", "ne", "ri", "so", "tu") for b in ("la", "mo", "pi", "re", "st", "ul")]


@pytest.mark.parametrize(
    ("answers", "passage", "held"),
    [
        (
            ["Wilhelm Conrad Röntgen"],
            "The first was awarded in 1901 to Wilhelm Conrad Ro\u0308ntgen , of Germany",
            True,
        ),
        (["14 December 1972 UTC"], "Their last moonwalk ended on 14 December 1972 ( UTC )", False),  # signs count
        (["December 1972"], "on 14 DECEMBER 1972", True),
        (["the Golden State"], "golden states", False),  # whole tokens
        (["1,000"], "of 1 , 000 men", True),
        (["May 18, 2018", "2018"], "in 2018", True),  # any answer
        (["Bobby Scott", "Bob Russell"], "Russell , Bob", False),  # in a row
        (["3"], "on the 3rd day", False),
    ],
)
def test_dprs_answer_rule_by_hand(answers, passage, held):
    assert holding(np.array([[1, 0]]), [answers], ["nothing", passage].__getitem__).tolist() == [[held, False]]


def test_a_folder_in_the_format_of_beir_is_a_task(tmp_path, capsys):
    folder = tmp_path / "fiqa"
    (folder / "qrels").mkdir(parents=True)
    with (folder / "corpus.jsonl").open("w") as file:
        for i in range(30):
            one = {
                "_id": f"d{i}",
                "title": "" if i % 2 else f"about {i}",
                "text": f"passage of {WORDS[i]}",
                "metadata": {},
            }
            file.write(json.dumps(one) + "\n")
    with (folder / "queries.jsonl").open("w") as file:
        for i in range(20):
            file.write(json.dumps({"_id": f"q{i}", "text": f"where is {WORDS[i]}", "metadata": {}}) + "\n")
    for side, wanted in (("train", range(14)), ("dev", range(14, 16)), ("test", range(16, 20))):
        lines = [f"q{i}\td{i}\t1\nq{i}\td{29 - i}\t0\n" for i in wanted]
        (folder / "qrels" / f"{side}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    with (folder / "qrels" / "test.tsv").open("a") as file:
        file.write("q16\td29\t2\nq99\td1\t1\n")

    class Fiqa(RetrievalData):
        name = "fiqa"
        path = str(folder)

    found = Fiqa().data()
    assert (len(found.passage_texts), len(found.pool_labels), len(found.test_labels)) == (30, 16, 4)
    assert found.validation.tolist() == [0, 1]  # files are read by name
    assert {found.passage_texts[i] for i in found.test_labels[0]} == {
        "about 16. passage of " + WORDS[16],
        "passage of " + WORDS[29],
    }
    assert "1 judgements of queries or passages that are not there" in capsys.readouterr().err
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq1 d1 1\n")
    with pytest.raises(BadInput, match=r"dev\.tsv: line 2 is no query-id"):
        Fiqa().data()
