"""Budget alerts: told once, kept in run.json, and handed to the user's own program."""

import asyncio
import json
import sys
from decimal import Decimal

import pytest

from pipeline.admission.budget import Account, Spending
from pipeline.admission.governor import Alert
from pipeline.telemetry import alerts as alerting
from pipeline.telemetry.alerts import Alarm

HOSTILE = "$(touch owned); `id` | rm -rf {} \n--help"
ALERT = Alert(HOSTILE, Decimal("0.8123"), Decimal(1))


def raised(command, alert=ALERT):
    async def scenario():
        alarm = Alarm("invoices", command)
        alarm.raise_alert(alert)
        await alarm.aclose()
        return alarm.events

    return asyncio.run(scenario())


def keeps(path):
    return (sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())", str(path))


def test_the_program_reads_the_alert_on_its_standard_input(tmp_path):
    """A tenant's name that looks like a command is data like any other."""
    raised(keeps(tmp_path / "told.json"))
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["tenant"] == HOSTILE
    assert (told["job"], told["spent_usd"], told["max_usd"]) == ("invoices", "0.8123000000", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]


def test_the_event_names_no_tenant():
    """run.json has tenants as calls.parquet has them: hashed."""
    (event,) = raised(())
    assert HOSTILE not in json.dumps(event)
    assert event["tenant_hash"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('no pager tonight')", "ended with 1: 'no pager tonight'"),
        ("import time; time.sleep(600)", "longer than 0.5 s"),
    ],
)
def test_a_program_that_fails_or_hangs_is_told_and_harms_nothing(code, said, capsys, monkeypatch):
    """The run goes on whatever it does."""
    monkeypatch.setattr(alerting, "TIMEOUT_S", 0.5)
    raised((sys.executable, "-c", code))
    assert said in capsys.readouterr().err


def test_a_program_that_is_not_there_is_told(capsys):
    """By its name."""
    raised(("/no/such/program",))
    assert "'/no/such/program' cannot be run" in capsys.readouterr().err


def test_each_cap_is_told_once_and_a_tenants_again_the_next_day():
    """What may have been spent counts as spent."""
    money = Spending(Account(Decimal(10)), Decimal(1), 0.8)
    money.reserve("t", Decimal(9))
    money.settle("t", Decimal(9), None)
    assert [alert.tenant for alert in iter(money.alert, None)] == [None, "t"]
    assert money.alert() is None
    money.start_day({"t": Decimal("0.8")})
    assert [alert.tenant for alert in iter(money.alert, None)] == ["t"]
