"""Two commands of one account at once: limits are one, money and rows are each one's own, and either may be killed."""

import json
import signal
import threading

import pytest
from job_folder import JobFolder
from scripted_server import Scripted

import pipeline
from pipeline.commands.verify import verify
from pipeline.engine.shared import place

COUNT = 60
CONCURRENCY = 4


@pytest.fixture
def folders(tmp_path, tmp_path_factory, server):
    """Two jobs, `a` and `b`, that meet in a folder of their own."""
    made = []
    for name in "ab":
        (tmp_path / name).mkdir()
        job = JobFolder(tmp_path / name)
        job.env["XDG_RUNTIME_DIR"] = made[0].met if made else str(tmp_path_factory.mktemp("r"))
        job.met = job.env["XDG_RUNTIME_DIR"]
        rows = [{"id": f"{name}{n}", "text": f"document {name}{n}"} for n in range(COUNT)]
        made.append(job.write(server.url, rows=rows, limits={"concurrency": CONCURRENCY}))
    return made


@pytest.fixture
def meeting(server):
    """Both have calls in flight before either goes on: answers wait for the other's first request."""
    begun = {name: threading.Event() for name in "ab"}

    def script(document, _nth, _body):
        begun[document.removeprefix("document ")[0]].set()
        both = all(event.is_set() for event in begun.values())
        return Scripted(text=json.dumps({"name": document, "total": "1"}), delay_s=0.02 if both else 1.0)

    server.script = script
    return begun


def started(folders, meeting):
    """`a` first: it keeps the limits."""
    first = folders[0].start("run", folders[0].file)
    assert meeting["a"].wait(60)
    return [first, folders[1].start("run", folders[1].file)]


def ended(process, code=0):
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    return err


def roles(job):
    return [event["role"] for event in job.manifest()["events"] if event["event"] == "limits_shared"]


def whole(job, server, name, lost=0):
    """Every row is ok, and paid once but for calls that are named as lost."""
    manifest = job.reconcile()
    assert manifest["rows"]["ok"] == COUNT
    named = [call for call in job.calls() if call["error_code"] == "lost"]
    assert len(named) <= lost
    paid = sum(count for document, count in server.paid.items() if document.startswith(f"document {name}"))
    assert COUNT <= paid <= COUNT + len(named)
    assert [check.problem for check in verify(job.out) if check.problem] == []


def test_two_commands_share_and_say_so(folders, server, meeting):
    """One keeps the limits; each has its own calls at once, and nothing is left behind."""
    a, b = folders
    first, second = started(folders, meeting)
    told = [ended(first), ended(second)]
    assert [roles(a)[0], roles(b)[0]] == ["keeps", "asks"]
    assert all("limits are shared with another run on this machine" in err for err in told)
    for job, name in zip(folders, "ab", strict=True):
        whole(job, server, name)
    assert CONCURRENCY < server.most_at_once <= 2 * CONCURRENCY
    assert list((place.Path(a.met) / "pipeline").iterdir()) == []


@pytest.mark.parametrize("killed", ["a", "b"])
def test_either_may_be_killed_and_nothing_is_lost(folders, server, meeting, killed):
    """The other goes on to its end; of the one that was killed no more than its calls in flight are in doubt."""
    processes = dict(zip("ab", started(folders, meeting), strict=True))
    for event in meeting.values():
        assert event.wait(60)
    victim, other = processes.pop(killed), processes.popitem()[1]
    victim.kill()
    victim.communicate(timeout=60)
    ended(other)
    jobs = dict(zip("ab", folders, strict=True))
    whole(jobs["b" if killed == "a" else "a"], server, "b" if killed == "a" else "a")
    jobs[killed].run()
    whole(jobs[killed], server, killed, lost=CONCURRENCY)


def test_one_that_is_interrupted_hands_the_limits_on(folders, server, meeting):
    """It drains; the other takes over, and asks nobody from then on."""
    first, second = started(folders, meeting)
    for event in meeting.values():
        assert event.wait(60)
    first.send_signal(signal.SIGTERM)
    ended(first, 130)
    ended(second)
    whole(folders[1], server, "b")
    folders[0].run()
    whole(folders[0], server, "a")


def test_a_run_of_several_processes_asks_for_all_of_them(folders, server, meeting):
    b = folders[1]
    b.write(server.url, limits={"concurrency": CONCURRENCY, "workers": 2})
    for process in started(folders, meeting):
        ended(process)
    assert roles(b)[0] == "asks"
    for job, name in zip(folders, "ab", strict=True):
        whole(job, server, name)


def test_two_runs_of_one_process_share(folders, server, meeting, monkeypatch):
    """From Python, in threads."""
    for name, value in folders[0].env.items():
        monkeypatch.setenv(name, value)
    loaded = [pipeline.Job.load(job.file) for job in folders]
    threads = [threading.Thread(target=pipeline.run, args=(job,)) for job in loaded]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(roles(job)[0] for job in folders) == ["asks", "keeps"]
    for job, name in zip(folders, "ab", strict=True):
        whole(job, server, name)


def test_with_limits_shared_false_nobody_meets(folders, server):
    job = folders[0]
    job.write(server.url, limits={"concurrency": CONCURRENCY, "shared": False})
    job.run()
    assert not (place.Path(job.met) / "pipeline").exists()


def test_where_there_is_no_folder_to_meet_in_the_run_says_so_and_goes_on(folders, server, monkeypatch):
    monkeypatch.setattr(place, "_folders", lambda _: [place.Path("/proc/nowhere")])
    told = folders[0].run().err
    assert "limits are not shared with other runs (limits.shared): " in told
    whole(folders[0], server, "a")
