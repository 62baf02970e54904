import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_pdfs import pdf, text

from pipeline.errors import JobError
from pipeline.parts import FilePart
from pipeline.reader.messages import Bounds
from pipeline.reader.pool import Readers
from pipeline.reader.read import (
    CHANGED,
    CRASHED,
    EMPTY,
    OUT_OF_REACH,
    PASSWORD,
    TOO_LARGE,
    UNSUPPORTED,
    Read,
    ReadOptions,
    Unreadable,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def readers():
    with Readers(ReadOptions()) as made:
        yield made


@pytest.fixture
def file(tmp_path):
    def written(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return written


@pytest.fixture
def program(tmp_path):
    """A reader that does `body` with each file (`data`, `name`) before the real one has its turn."""

    def made(body):
        script = tmp_path / "reader.py"
        script.write_text(
            "import os, signal, sys, time\n"
            "from pathlib import Path\n"
            "from pipeline.reader import child\n"
            "from pipeline.reader.progress import at_page\n"
            "real = child.read_bytes\n"
            f"here = Path({str(tmp_path)!r})\n"
            "def first_time(name):\n"
            "    try:\n"
            "        (here / f'{name}.seen').touch(exist_ok=False)\n"
            "    except FileExistsError:\n"
            "        return False\n"
            "    return True\n"
            "def read_bytes(data, name, options):\n"
            + "".join(f"    {line}\n" for line in body.strip().splitlines())
            + "    return real(data, name, options)\n"
            "child.read_bytes = read_bytes\n"
            "child.main(int(sys.argv[1]))\n"
        )
        return (sys.executable, "-P", str(script))

    return made


def told(read):
    return read.pieces[0].pages[0].text


def refused(readers, path):
    with pytest.raises(Unreadable) as error:
        readers.read(path)
    return error.value


def part(path, data, **more):
    return FilePart("application/pdf", hashlib.sha256(data).hexdigest(), "document", 0, path=path, **more)


def test_a_file_is_read(readers, file):
    content = pdf(text(50, 700, "Invoice 12"))
    read = readers.read(file("one.pdf", content), "the name")

    assert (read.media_type, read.size, read.pages) == ("application/pdf", len(content), 1)
    assert read.digest == read.pieces[0].digest == hashlib.sha256(content).hexdigest()
    assert (read.pieces[0].name, told(read)) == ("the name", "Invoice 12")


def test_many_come_back_in_order_each_with_what_became_of_it(readers, file, tmp_path):
    files = [(file(f"{n}.pdf", pdf(text(50, 700, f"number {n}"))), "") for n in range(40)]
    files[7:7] = [(str(tmp_path / "none.pdf"), "")]
    found = readers.read_many(files)

    assert [told(read) for read in found if isinstance(read, Read)] == [f"number {n}" for n in range(40)]
    assert found[7].reason == OUT_OF_REACH


def test_nothing_is_started_before_the_first_file():
    readers = Readers(ReadOptions(), program=("/nowhere",))
    assert readers.read_many([]) == []
    readers.close()


def test_a_name_need_not_be_utf8(readers, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.txt"
    Path(os.fsdecode(path)).write_bytes(b"words")
    assert told(readers.read(os.fsdecode(path))) == "words"


def test_what_is_no_file_is_refused_at_once(readers, file, tmp_path):
    os.mkfifo(tmp_path / "pipe.pdf")
    (tmp_path / "link.pdf").symlink_to("nowhere.pdf")
    (tmp_path / "loop.pdf").symlink_to("loop.pdf")
    (tmp_path / "folder.pdf").mkdir()

    assert [refused(readers, str(tmp_path / f"{name}.pdf")).reason for name in ("pipe", "folder", "link", "loop")] == [
        UNSUPPORTED,
        UNSUPPORTED,
        OUT_OF_REACH,
        OUT_OF_REACH,
    ]
    assert refused(readers, "/dev/zero").reason == UNSUPPORTED
    assert refused(readers, file("empty.pdf", b"")).reason == EMPTY


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read_says_so(readers, file):
    path = file("locked.pdf", b"x")
    Path(path).chmod(0)
    assert "permission" in refused(readers, path).told


def test_a_large_file_is_refused_by_its_size(file):
    path = file("large.pdf", b"")
    os.truncate(path, 3_000_000_000)
    with Readers(ReadOptions(max_bytes=1_000_000)) as readers:
        error = refused(readers, path)
    assert (error.reason, error.told) == (TOO_LARGE, "it has 3,000.0 MB, and documents.max_mb lets in 1.0")


def test_a_password_goes_to_the_readers_and_is_seen_by_nobody_else(file):
    path = file("locked.pdf", pdf(text(50, 700, "inside"), user="secret"))
    with Readers(ReadOptions(password="secret")) as readers:
        assert told(readers.read(path)) == "inside"
        (process,) = readers._alive
        commands = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"secret" not in commands
    with Readers(ReadOptions()) as readers:
        error = refused(readers, path)
    assert (error.reason, "documents.password_env" in error.told, len(error.digest)) == (PASSWORD, True, 64)


def test_a_file_that_kills_its_reader_costs_itself_alone(file, program):
    doomed = program("at_page(3, 7)\nif name == 'bad': os.kill(os.getpid(), signal.SIGSEGV)")
    files = [(file(f"{n}.txt", f"text {n}"), "bad" if n in {2, 5} else "") for n in range(8)]
    with Readers(ReadOptions(), program=doomed) as readers:
        found = readers.read_many(files)

    assert [told(read) for read in found if isinstance(read, Read)] == [f"text {n}" for n in (0, 1, 3, 4, 6, 7)]
    assert [str(found[n]) for n in (2, 5)] == [
        f"{CRASHED}: signal 11 (SIGSEGV) on page 3 of 7; it was tried twice" for _ in range(2)
    ]


def test_a_file_gets_one_more_try_in_a_fresh_reader(file, program):
    once = program("if first_time(name): os._exit(3)")
    with Readers(ReadOptions(), program=once) as readers:
        assert told(readers.read(file("one.txt", "text"))) == "text"


def test_a_reader_killed_from_outside_is_replaced(file, program, tmp_path):
    os.mkfifo(tmp_path / "told")
    waits = program("if first_time(name):\n    (here / 'told').write_text(str(os.getpid()))\n    signal.pause()")
    found = []
    with Readers(ReadOptions(), program=waits) as readers:
        files = [(file(f"{n}.txt", f"text {n}"), "bad" if n == 1 else "good") for n in range(3)]
        (tmp_path / "good.seen").touch()
        reading = threading.Thread(target=lambda: found.extend(readers.read_many(files)))
        reading.start()
        os.kill(int((tmp_path / "told").read_text()), signal.SIGKILL)
        reading.join()

    assert [told(read) for read in found] == ["text 0", "text 1", "text 2"]


def test_a_reader_that_hangs_is_given_up(file, program):
    hangs = program("if name == 'bad':\n    at_page(2, 9)\n    signal.pause()")
    bounds = Bounds(wall_s=0.2, page_s=0.01)
    with Readers(ReadOptions(), program=hangs, bounds=bounds) as readers, pytest.raises(Unreadable) as error:
        readers.read(file("one.txt", "text"), "bad")
    assert str(error.value) == f"{CRASHED}: took longer than 0.3 s on page 2 of 9; it was tried twice"


def test_a_file_that_burns_cpu_time_is_given_up(file, program):
    burns = program("at_page(1, 1)\nwhile name == 'bad': pass")
    bounds = Bounds(cpu_s=0.3, page_s=0)
    with Readers(ReadOptions(), program=burns, bounds=bounds) as readers, pytest.raises(Unreadable) as error:
        readers.read(file("one.txt", "text"), "bad")
    assert str(error.value).startswith(f"{CRASHED}: took more CPU time than a file is given on page 1 of 1")


@pytest.fixture
def sees(tmp_path):
    """A reader to which every page looks like what `page_seen` says."""

    def made(body):
        script = tmp_path / "seeing.py"
        script.write_text(
            "import resource, signal, sys, time\n"
            "from pipeline.reader import child\n"
            "from pipeline.reader.clean import page_of\n"
            "def page_seen(png):\n"
            + "".join(f"    {line}\n" for line in body.strip().splitlines())
            + "child.page_seen = page_seen\n"
            "child.main(int(sys.argv[1]))\n"
        )
        return (sys.executable, "-P", str(script))

    return made


BURN = "while time.process_time() < 1.3: pass\nreturn page_of('done')"


def test_pages_that_are_read_by_ocr_are_answered_in_order(file, sees):
    data = pdf(text(50, 700, "one"), text(50, 700, "two"))
    path = file("two.pdf", data)
    looks = sees("import struct\nreturn page_of(str(struct.unpack('>II', png[16:24])))")
    parts = [part(path, data, first=page, last=page, px=px) for page, px in ((1, 100), (2, 200), (1, 300), (9, 100))]
    with Readers(ReadOptions(), program=looks) as readers:
        *pages, missing = readers.see_many(parts)
        assert [max(map(int, page.text.strip("()").split(", "))) for page in pages] == [100, 200, 300]
        assert isinstance(missing, Unreadable)
        assert readers.see_many(parts[:1])[0] == pages[0]
        assert told(readers.read(path)) == "one"  # and it goes on reading


def test_a_page_that_is_read_by_ocr_has_time_and_memory_of_its_own(file, sees):
    path, data = file("one.pdf", pdf(text(50, 700, "x"))), pdf(text(50, 700, "x"))
    (page,) = (part(path, data, first=1, last=1, px=50),)
    bounds = Bounds(cpu_s=0.3, page_s=0, ocr_s=60)
    with Readers(ReadOptions(), program=sees(BURN), bounds=bounds) as readers:
        assert readers.see_many([page])[0].text == "done"
    with Readers(ReadOptions(), program=sees(BURN), bounds=Bounds(cpu_s=0.3, page_s=0, ocr_s=0)) as readers:
        assert str(readers.see_many([page])[0]).startswith(f"{CRASHED}: took more CPU time than a file is given")
    bounds = Bounds(wall_s=0.2, ocr_s=0.1)
    with Readers(ReadOptions(), program=sees("signal.pause()"), bounds=bounds) as readers:
        assert str(readers.see_many([page])[0]) == f"{CRASHED}: took longer than 0.3 s; it was tried twice"
    greedy = sees(
        "import mmap\nmmap.mmap(-1, 2_000_000_000)\nreturn page_of(str(resource.getrlimit(resource.RLIMIT_AS)[0]))"
    )
    with Readers(ReadOptions(), program=greedy) as readers:
        assert readers.see_many([page])[0].text == "4000000000"


def test_a_file_that_takes_too_much_memory_is_told(file, program):
    greedy = program("if name == 'bad': bytearray(2_000_000_000)")
    with Readers(ReadOptions(), program=greedy) as readers:
        with pytest.raises(Unreadable) as error:
            readers.read(file("one.txt", "text"), "bad")
        assert told(readers.read(file("two.txt", "text"))) == "text"
    assert str(error.value) == f"{CRASHED}: it takes more memory than a reader is given"


def test_a_bug_over_a_file_costs_that_file_and_tells_nothing_of_it(file, program):
    broken = program("if name == 'bad': raise ValueError('of the document')")
    with Readers(ReadOptions(), program=broken) as readers, pytest.raises(Unreadable) as error:
        readers.read(file("one.txt", "text"), "bad")
    assert str(error.value).startswith(f"{CRASHED}: ValueError in reader.py:")


def test_a_reader_is_replaced_after_its_share_of_files(file, program):
    tells = program("return real(str(os.getpid()).encode(), name, options)")
    path = file("one.txt", "text")
    with Readers(ReadOptions(), processes=1, program=tells, bounds=Bounds(files=2)) as readers:
        pids = [told(readers.read(path)) for _ in range(5)]
        assert len(readers._alive) == 1
    assert len(set(pids)) == 3


def test_a_few_files_one_after_the_other_need_one_reader(readers, file):
    for _ in range(5):
        readers.read(file("one.txt", "text"))
    assert len(readers._alive) == 1


def test_a_reader_has_no_keys(file, program, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    tells = program("return real(repr(dict(os.environ)).encode(), name, options)")
    with Readers(ReadOptions(), program=tells) as readers:
        seen = told(readers.read(file("one.txt", "text")))
    assert "PATH" in seen
    assert "secret" not in seen


def test_readers_that_cannot_start_are_the_users_to_mend(file):
    broken = (sys.executable, "-c", "raise SystemExit('no such library')")
    with Readers(ReadOptions(), program=broken) as readers, pytest.raises(JobError, match="no such library"):
        readers.read_many([(file("one.txt", "text"), "")])


def test_a_terminals_ctrl_c_is_not_for_readers(readers, file):
    readers.read(file("one.txt", "text"))
    (process,) = readers._alive
    assert os.getsid(process.pid) == process.pid


def test_a_missing_package_is_named(file, tmp_path, monkeypatch):
    (tmp_path / "pypdfium2_raw.py").write_text("raise ModuleNotFoundError('no such package')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Readers(ReadOptions()) as readers:
        assert told(readers.read(file("one.txt", "text"))) == "text"
        with pytest.raises(JobError, match=r"pip install 'ledger-pipeline\[documents\]'"):
            readers.read(file("one.pdf", pdf("")))


def test_nothing_a_reader_prints_is_heard(file, program):
    loud = program("os.write(1, b'noise'); os.write(2, b'noise'); print('noise', flush=True)")
    words = (
        "import sys; from pipeline.reader.pool import Readers; from pipeline.reader.read import ReadOptions\n"
        f"with Readers(ReadOptions(), program={loud!r}) as readers:\n"
        "    sys.stdout.write(readers.read(sys.argv[1]).media_type)"
    )
    path = file("one.txt", "text")
    done = subprocess.run([sys.executable, "-c", words, path], cwd=ROOT, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"text/plain", b"")


def test_a_reader_ends_with_who_asked_it_even_in_the_middle(file, program, tmp_path):
    os.mkfifo(tmp_path / "alive")
    waits = program("held = open(here / 'alive', 'w'); held.write('here'); held.flush(); signal.pause()")
    words = (
        "import sys; from pipeline.reader.pool import Readers; from pipeline.reader.read import ReadOptions\n"
        f"Readers(ReadOptions(), program={waits!r}).read(sys.argv[1])"
    )
    asking = subprocess.Popen([sys.executable, "-c", words, file("one.txt", "text")], cwd=ROOT)
    with asking, (tmp_path / "alive").open() as alive:
        assert alive.read(4) == "here"
        asking.kill()
        assert alive.read() == ""  # once nobody has its other end


def test_closed_readers_end_at_once_and_say_so(file, program, tmp_path):
    os.mkfifo(tmp_path / "told")
    waits = program("(here / 'told').write_text('here'); signal.pause()")
    readers, raised = Readers(ReadOptions(), program=waits), []

    def read():
        try:
            readers.read(file("one.txt", "text"))
        except RuntimeError as error:
            raised.append(str(error))

    reading = threading.Thread(target=read)
    reading.start()
    (tmp_path / "told").read_text()
    readers.close()
    reading.join()
    readers.close()

    assert raised == ["the readers are closed"]
    with pytest.raises(RuntimeError):
        readers.read_many([("one", "")] * 40)


def test_threads_may_ask_at_the_same_time(readers, file):
    data = pdf(*(text(50, 700, f"page {n}") for n in range(4)))
    path, found = file("one.pdf", data), []

    def ask(n):
        cut = readers.load(part(path, data, first=n, last=n))
        found.append((n, told(readers.read(file(f"{n}.cut", cut)))))

    threads = [threading.Thread(target=ask, args=(n,)) for n in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(n, f"page {n - 1}") for n in (1, 2, 3, 4)]


def test_what_changed_since_it_was_read_is_not_sent(readers, file):
    data = pdf(text(50, 700, "one"))
    path = file("one.pdf", data)
    assert readers.load(part(path, data)) == data
    Path(path).write_bytes(data + b"\n")
    with pytest.raises(Unreadable) as error:
        readers.load(part(path, data))
    assert error.value.reason == CHANGED


def test_other_files_go_as_they_are(readers, file):
    content = bytes(range(256)) * 5000
    assert readers.load(part(file("one.jpg", content), content)) == content


def test_the_program_runs_as_it_is_installed(file):
    """Started by its name, as the pool does, without the tests' settings of Python."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    began = time.monotonic()
    words = (
        "import sys; from pipeline.reader.pool import Readers; from pipeline.reader.read import ReadOptions\n"
        "with Readers(ReadOptions()) as readers: print(readers.read(sys.argv[1]).pages)"
    )
    path = file("one.pdf", pdf("", ""))
    done = subprocess.run([sys.executable, "-c", words, path], env=clean, cwd=ROOT, capture_output=True, check=True)
    assert (done.stdout, time.monotonic() - began < 30) == (b"2\n", True)


def test_a_reader_that_is_killed_before_it_is_ready_is_started_again(tmp_path, file):
    """As by a machine that is short of memory for a moment."""
    script = tmp_path / "reader.py"
    script.write_text(
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pipeline.reader import child\n"
        f"seen = Path({str(tmp_path / 'seen')!r})\n"
        "if not seen.exists():\n"
        "    seen.touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "child.main(int(sys.argv[1]))\n"
    )
    with Readers(ReadOptions(), program=(sys.executable, "-P", str(script))) as readers:
        assert told(readers.read(file("a.txt", "a text"))) == "a text"


def test_a_name_that_is_no_utf_8_is_read_and_loaded(tmp_path, readers):
    path = str(tmp_path / os.fsdecode(b"a\xff.pdf"))
    content = pdf(text(50, 700, "Hello"))
    Path(path).write_bytes(content)
    part = FilePart("application/pdf", hashlib.sha256(content).hexdigest(), "document", 1, 1, 0, 0, 0, path, 0, 1)
    assert readers.read(path).digest == part.digest
    assert readers.load(part) == content
