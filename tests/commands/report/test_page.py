"""The report in a real browser: headless Chromium, where it is installed."""

import json
import re
import shutil
import subprocess

import pytest
from scripted_server import Scripted

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

ATTACK = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
LAST = "the Blue Mill \U0001f600"
PROBE = """
<script>
  addEventListener("load", () => {
    const root = document.documentElement;
    const shown = () => document.querySelectorAll("details.row:not([hidden])").length;
    const found = { title: document.title, wide: root.scrollWidth, inner: innerWidth, all: shown() };
    const search = document.getElementById("search");
    const type = (words) => { search.value = words; search.dispatchEvent(new Event("input")); return shown(); };
    const costs = [...document.querySelectorAll("td:last-child, span.cost")].filter((one) => one.textContent);
    found.cut = costs.filter((one) => one.getBoundingClientRect().right > innerWidth || !one.offsetWidth).length;
    const words = [...document.querySelectorAll(".axis span")];
    found.axes = [words.length, Math.min(...words.map((one) => parseFloat(getComputedStyle(one).fontSize)))];
    found.one = type("r7 document");
    found.none = type("nothing like it");
    type("");
    const status = document.getElementById("status");
    status.value = "failed";
    status.dispatchEvent(new Event("change"));
    found.failed = shown();
    status.value = "review";
    status.dispatchEvent(new Event("change"));
    found.review = shown();
    status.value = "";
    status.dispatchEvent(new Event("change"));
    const row = [...document.querySelectorAll("details.row")].find((one) => one.querySelector("a[data-mark]"));
    row.open = true;
    const link = row.querySelector("a[data-mark]");
    link.click();
    const marks = [...row.querySelectorAll("mark.on")];
    const [pane, mark] = [row.querySelector(".source"), marks[0]].map((one) => one.getBoundingClientRect());
    found.marked = marks.map((one) => one.textContent).join("");
    found.seen = mark.top >= pane.top && mark.bottom <= pane.bottom;
    found.current = link.getAttribute("aria-current");
    found.scrolled = row.querySelector(".source").scrollTop;
    const paper = () => getComputedStyle(document.body).backgroundColor;
    found.light = paper();
    document.getElementById("theme").click();
    found.dark = paper();
    parent.postMessage(JSON.stringify(found), "*");
  });
</script>
"""

FRAME = """<!doctype html><iframe src="inner.html" width="{width}" height="800"></iframe><pre id="probe"></pre>
<script>
  addEventListener("message", (event) => {{ document.getElementById("probe").textContent = event.data; }});
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture
def report(job, server, page):
    """A report with an attack in it, and a probe that the page's own policy is opened for."""
    server.script = lambda document, nth, body: (
        Scripted(400, error={"message": ATTACK, "code": "x"})
        if document.startswith("fail")
        else Scripted(text=json.dumps({"name": LAST if document.endswith(LAST) else document, "total": "77.5"}))
    )
    texts = ["a line of it\n" * 99 + LAST, *(f"document {n}" for n in range(1, 10)), "fail", f"{ATTACK} " + "x" * 3000]
    rows = [{"id": f"r{n}", "text": text} for n, text in enumerate(texts)]
    job.write(server.url, rows=rows, extract={"evidence": "align"}).run(code=1)
    job.pipeline("report", job.out, code=0)
    return (job.out / "report.html").read_text()


def dumped(page, text):
    """The page's DOM after its scripts ran, and what the browser wrote to its log."""
    path = page / "report.html"
    path.write_text(text)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=3000"]
    command = [CHROMIUM, *flags, "--window-size=1400,900", "--dump-dom", path.as_uri()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    return ended.stdout, [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


def probed(page, report, width):
    policy = re.search(r"script-src '[^']+'", report)[0]
    text = report.replace(policy, "script-src 'unsafe-inline'").replace("</body>", f"{PROBE}</body>")
    (page / "inner.html").write_text(text)
    dom, _ = dumped(page, FRAME.format(width=width))
    return json.loads(re.search(r'<pre id="probe">(.*?)</pre>', dom, re.DOTALL)[1].replace("&amp;", "&"))


def test_the_page_works_and_what_is_in_it_does_nothing(page, report):
    """Search and filter; light and dark; documents stay words, also where scripts are allowed."""
    found = probed(page, report, 1200)
    assert found["title"] == "job – report"
    assert (found["all"], found["one"], found["none"], found["failed"]) == (12, 1, 0, 1)
    assert found["light"] != found["dark"]


def test_a_click_on_a_value_shows_its_words(page, report):
    """Marked, and in view in a long source."""
    found = probed(page, report, 1200)
    assert (found["marked"], found["seen"], found["current"]) == (LAST, True, "true")
    assert found["scrolled"] > 500
    assert found["review"] == 11, "those whose total is nowhere, and not the failed one"


def test_it_fits_a_phone(page, report):
    """No sideways scrolling of the page; long words break, tables scroll by themselves."""
    for width in (375, 360):
        found = probed(page, report, width)
        assert found["inner"] == width
        assert found["wide"] <= width
        assert found["cut"] == 0, "what things cost is in view"
        assert found["axes"][0] >= 8
        assert found["axes"][1] >= 12, "and the words of the charts can be read"


def test_the_browser_has_nothing_to_complain_of(page, report):
    """Its policy is kept by its own style and script, and nothing is asked of any network."""
    _, complaints = dumped(page, report)
    assert complaints == []
