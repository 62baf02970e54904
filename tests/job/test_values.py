"""Tables of free form: what TOML can say and JSON cannot."""

import tomllib

import pytest

from pipeline.job.settings import Model
from pipeline.job.values import WrongValue, typed

EXTRA = Model.__annotations__["extra"]


def read(toml):
    return typed(EXTRA, tomllib.loads(toml), "model.extra")


def test_dates_and_times_are_text_wherever_they_stand():
    found = read("a = 2026-01-02\nb = [{c = 2026-01-02T03:04:05Z}]\n[d]\ne = 03:04:05\nf = 1.5")
    assert found == {"a": "2026-01-02", "b": [{"c": "2026-01-02T03:04:05+00:00"}], "d": {"e": "03:04:05", "f": 1.5}}


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_number_that_json_has_not_is_told_with_its_path(number):
    with pytest.raises(WrongValue, match=rf"^model\.extra\.a\.0\.b = {number} is no number that JSON has"):
        read(f"a = [{{b = {number}}}]")
