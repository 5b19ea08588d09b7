"""Settings in one line: what is written is what is read."""

from __future__ import annotations

import pytest

from benchmarks.core import settings


@pytest.mark.parametrize(
    "values", [{}, {"sigma": 0.5, "pool": 1000}, {"start": "prior"}, {"soft": False, "hard": True}, {"radius": None}]
)
def test_what_is_written_is_what_is_read(values):
    assert settings.parse(settings.of(values)) == values


def test_the_line_is_in_the_order_of_the_names_and_words_stay_words():
    assert settings.of({"sigma": 5, "direction": "random", "soft": False}) == "direction=random,sigma=5,soft=false"
    with pytest.raises(ValueError, match="NAME=VALUE is wanted, not 'sigma'"):
        settings.parse("sigma")
