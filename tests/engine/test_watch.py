"""What a run tells others of itself while it goes on."""

import json
import time

from pipeline.admission.governor import Governor, LimitRules
from pipeline.admission.needs import Needs
from pipeline.admission.queue import Admission
from pipeline.engine.watch import LIVE_EVERY_S, Watch, Watched
from pipeline.job.folder import LIVE
from pipeline.telemetry.alerts import Alarm
from pipeline.telemetry.display import Nothing
from pipeline.telemetry.observers import Observers
from pipeline.telemetry.tally import Tally

WORKERS = [{"worker": 1, "node": "a", "rows": 5, "calls": 7, "cpu_s": 1.25}]


class Hearing:
    """An observer."""

    def __init__(self):
        self.heard = []

    def looked(self, *told):
        pass

    def worked(self, workers):
        self.heard.append(list(workers))


def heard_of(folder, **more):
    """What an observer is told of workers, and `status`, in one look at a run."""
    observer, governor = Hearing(), Governor(LimitRules(concurrency=1))
    admission = Admission(governor, Needs(None, governor), time.monotonic)
    run = Watched("a", folder, admission, governor, Tally(), **more)
    watch = Watch(run, Observers([observer]), Alarm("a", ""), Nothing(), lambda calls: None)
    watch._lived_s -= LIVE_EVERY_S
    watch._show(0)
    return observer.heard, json.loads((folder / LIVE).read_text()).get("workers")


def test_observers_hear_what_workers_have_done(tmp_path):
    """As `status` does. Of a job without workers nobody hears a word of them."""
    assert heard_of(tmp_path, workers=lambda: WORKERS) == ([WORKERS], WORKERS)
    assert heard_of(tmp_path) == ([], None)
