"""Who watches a run can not harm it."""

from pipeline.telemetry.observers import Observers


def test_an_observer_that_fails_is_heard_no_more(capsys):
    """The others are."""
    heard = []

    class Broken:
        def looked(self, *told):
            raise RuntimeError(f"no disk for {told}")

    class Whole:
        def looked(self, *told):
            heard.append(told)

    telemetry = Observers([Broken(), Whole()])
    telemetry.looked(1, 2)
    telemetry.looked(3, 4)
    assert heard == [(1, 2, 0), (3, 4, 0)]
    assert capsys.readouterr().err.count("Broken is switched off") == 1
