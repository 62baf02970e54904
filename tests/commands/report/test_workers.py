"""The report's section of workers."""

import re

from pipeline.commands.report.workers import workers_section
from pipeline.output.manifest import Manifest

LOST = {"ended": "lost", "ended_at": "2026-11-30T09:00:00+00:00", "why": "<b>exit</b> code -9"}


def one(number, node="10.0.0.7", **more):
    return {"worker": number, "node": node, "rows": 1200, "calls": 1300, "cpu_s": 12.34, **more}


def section(*workers):
    return workers_section(Manifest(workers=workers))


def rows_of(html):
    lines = re.findall(r"<tr><th scope=\"row\".*?</tr>", html)
    return [" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in lines]


def test_a_job_without_workers_has_no_such_section():
    assert section() == ""


def test_each_worker_has_a_row_with_what_it_did():
    """By their numbers, whoever ended first; with the share of a core where it is known."""
    html = section(one(2, **LOST), one(1, cpu_share=0.97), one(3, ended="drained", ended_at="…", cpu_s=1234.5))
    assert rows_of(html) == [
        "10.0.0.7 worker 1 1,200 1,300 97 % 12.3 s",
        "10.0.0.7 worker 2, lost 1,200 1,300 – 12.3 s",
        "10.0.0.7 worker 3, drained 1,200 1,300 – 1,234 s",
    ]
    assert "3 workers on 1 node," in html
    assert html.count('scope="col"') == 5
    assert 'aria-labelledby="workers"' in html


def test_who_was_lost_is_told_with_when_and_why():
    """As words: what a cluster says of it is none of ours."""
    html = section(one(2, "<i>n", **LOST), one(1))
    assert "<li>worker 2 on &lt;i&gt;n, 2026-11-30 09:00:00 UTC: &lt;b&gt;exit&lt;/b&gt; code -9</li>" in html
    assert "<i>" not in html
    assert "<li>" not in section(one(1))
    old = {key: value for key, value in LOST.items() if key != "why"}  # as run.json had it before
    assert "09:00:00 UTC</li>" in section(one(2, **old))


def test_of_many_it_is_told_by_their_nodes():
    """And a night that lost hundreds names the last."""
    html = section(*(one(number, f"n{number % 3}", **(LOST if number % 2 else {})) for number in range(600)))
    assert rows_of(html)[0] == "n0 200 workers, 100 lost 240,000 260,000 – 2,468 s"
    assert len(rows_of(html)) == 3
    assert html.count("<li>") == 20
    assert "The last 20 of 300:" in html
    assert "and 100 more, which run.json has" in section(*(one(number, f"n{number}") for number in range(300)))
