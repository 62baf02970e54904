"""The job file: every wrong one is an error that names the key, and a right one is resolved to absolute values."""

import json
from decimal import Decimal

import pytest
from msgspec.structs import fields

from pipeline.catalog.providers import key_variable
from pipeline.errors import JobError
from pipeline.job.file import SECTIONS, absolute, load, parse_set
from pipeline.job.values import plain_type
from pipeline.schema.shape import load_model

GOOD = {
    "input": {"path": '"in.jsonl"'},
    "extract": {"schema": '"../thing.py:Thing"'},
    "model": {"provider": '"openai"', "name": '"gpt-4o-mini"', "max_output_tokens": "100"},
    "output": {"path": '"out"'},
}


def written(tmp_path, changes=None, top=""):
    """A job file that is right but for `changes`: {"section.key": TOML text, or None to leave it out}."""
    sections = {name: dict(values) for name, values in GOOD.items()}
    for dotted, value in (changes or {}).items():
        section, _, key = dotted.partition(".")
        sections.setdefault(section, {})[key] = value
    lines = [top]
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in values.items() if value is not None)]
    file = tmp_path / "jobs" / "night.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def error_of(file, overrides=(), limit_rows=None):
    with pytest.raises(JobError) as caught:
        load(file, overrides, limit_rows)
    assert len(str(caught.value)) < 1200 + len(str(file))
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("limits.concurency", "8", "unknown key limits.concurency = 8. Did you mean 'concurrency'?"),
        ("limits.zzzzzzz", "8", "Known keys: concurrency, requests_per_minute"),
        ("limts.concurrency", "8", "unknown key limts = {'concurrency': 8}. Did you mean 'limits'?"),
        ("limits.concurrency", '"8"', "limits.concurrency = '8' should be a whole number"),
        ("limits.concurrency", "8.0", "limits.concurrency = 8.0 should be a whole number"),
        ("limits.concurrency", "true", "limits.concurrency = True should be a whole number"),
        ("limits.timeout_s", "true", "limits.timeout_s = True should be a number"),
        ("limits.timeout_s", "[1]", "limits.timeout_s = [1] should be a number"),
        ("model.stream", "1", "model.stream = 1 should be true or false"),
        ("model.name", "4", "model.name = 4 should be a string in quotes"),
        ("model.betas", '"a"', "model.betas = 'a' should be a list of strings"),
        ("input.keep", "[1]", "input.keep = [1] should be a list of strings"),
        ("budget.max_usd", '"five"', "budget.max_usd = 'five' should be an amount in USD"),
        ("budget.max_usd", "true", "budget.max_usd = True should be a number"),
        ("budget.max_usd", "-1", "budget.max_usd = -1 should be 0 or more USD"),
        ("budget.max_usd", "nan", "budget.max_usd = nan should be 0 or more USD"),
        (
            "model.provider",
            '"opneai"',
            "should be one of openai, azure, anthropic, bedrock, gemini, vertex, sandbox, or instructor:NAME. Did",
        ),
        ("model.provider", "3", "model.provider = 3 should be one of openai"),
        ("model.provider", '"instructor"', "or instructor:NAME"),
        ("model.provider", '"instructor:"', "or instructor:NAME"),
        ("model.provider", '"instructor:openai"', 'openai is spoken to without instructor. Write provider = "openai"'),
        ("model.provider", '"instructor:Google"', 'Write provider = "gemini"'),
        ("model.provider", '"instructor:litellm"', "Name the provider behind it"),
        ("model.provider", "[]", "model.provider = [] should be one of openai"),
        ("extract.mode", '"jsonschema"', "Did you mean 'json_schema'?"),
        ("extract.merge", '"last"', "should be one of auto, first, concat, none."),
        ("limits.concurrency", "0", "limits.concurrency = 0 should be more than 0"),
        ("model.max_output_tokens", "-5", "model.max_output_tokens = -5 should be more than 0"),
        ("limits.timeout_s", "0.0", "should be more than 0"),
        ("limits.timeout_s", "nan", "limits.timeout_s = nan should be"),
        ("limits.timeout_s", "inf", "limits.timeout_s = inf should be"),
        ("limits.timeout_s", "1" + "0" * 400, "limits.timeout_s = inf should be"),
        ("limits.requests_per_minute", "-1", "should be 0 or more"),
        ("limits.max_failed_share", "1.01", "should be a share between 0 and 1"),
        ("sandbox.throttled", "-0.1", "should be a share between 0 and 1"),
        ("model.temperature", "nan", "model.temperature = nan should be a number"),
        ("limits.seed", "9" * 5000, "is not valid TOML"),
        ("chunks.overlap_tokens", "50\nmax_tokens = 100", "should be less than half of chunks.max_tokens = 100"),
        ("model.base_url", '"localhost:8000"', "should start with http:// or https://"),
        ("extract.schema", '"thing.py"', "extract.schema = 'thing.py' should be FILE.py:Class or module:Class"),
        ("extract.schema", '"thing.py:no-class"', "should be FILE.py:Class"),
        ("prices.input_usd_per_mtok", "1", "[prices] needs both"),
        ("prices.output_usd_per_mtok", "1", "[prices] needs both"),
        ("prices.cached_input_usd_per_mtok", "-0.1", "prices.cached_input_usd_per_mtok = -0.1 should be 0 or more USD"),
        ("prices.cache_write_usd_per_mtok", '"dear"', "should be an amount in USD, such as 5.00"),
        ("prices.cache_write_usd_per_mtok", "1000001", "should be at most 1,000,000: it is USD for a million tokens"),
        ("prices.input_usd_per_mtok", "1e30\noutput_usd_per_mtok = 1", "should be at most 1,000,000"),
        ("prices.batch_share", "1.01", "prices.batch_share = 1.01 should be a share between 0 and 1"),
        ("prices.batch_share", "-0.5", "prices.batch_share = -0.5 should be a share between 0 and 1"),
        ("prices.batch_share", '"half"', "prices.batch_share = 'half' should be a share between 0 and 1"),
        ("prices.batch_share", "true", "prices.batch_share = True should be a number"),
        ("prices.as", "4", "prices.as = 4 should be a string in quotes"),
        ("prices.as_model", '"gpt-4o"', "unknown key prices.as_model = 'gpt-4o'. Known keys: as,"),
        ("input.path", None, "[input] needs path. Add:  path = "),
        ("extract.schema", None, "[extract] needs schema"),
        ("model.provider", None, "[model] needs provider"),
        ("model.name", '""', "[model] needs name"),
        ("model.max_output_tokens", None, "[model] needs max_output_tokens. Add:  max_output_tokens = 1024"),
        ("output.path", None, "[output] needs path"),
    ],
)
def test_a_wrong_value_is_told_by_its_key(tmp_path, key, value, told):
    """The error names the file, the key, the value and what it should have been."""
    file = written(tmp_path, {key: value})
    message = error_of(file)
    assert told in message
    assert message.startswith(str(file))


@pytest.mark.parametrize(
    ("top", "told"),
    [
        ("nmae = 'x'", "unknown key nmae = 'x'. Did you mean 'name'?"),
        ("name = 3", "name = 3 should be a string"),
        ("limits = 3", "limits = 3 should be a section: write [limits]"),
        ("name = ", "is not valid TOML"),
    ],
)
def test_a_wrong_top_level_is_told(tmp_path, top, told):
    assert told in error_of(written(tmp_path, top=top))


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    """Missing, a folder, or no UTF-8: never a traceback."""
    assert "no such job file" in error_of(tmp_path / "none.toml")
    assert "is a folder, where a job file (.toml) is wanted" in error_of(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    assert "cannot be read" in error_of(tmp_path / "latin.toml")


@pytest.mark.parametrize("key", ["api_key", "apikey", "password", "client_secret", "auth_token", "api_key_env"])
def test_a_key_in_the_job_file_is_refused_and_not_shown(tmp_path, key):
    """Whoever pastes a key where none belongs does not find it in a log."""
    message = error_of(written(tmp_path, {f"model.{key}": '"sk-made-up-0123456789"'}))
    assert f"model.{key}" in message
    assert "sk-made-up" not in message


def test_a_password_in_a_url_is_refused_and_not_shown(tmp_path):
    """The URL is written to run.json."""
    message = error_of(written(tmp_path, {"model.base_url": '"http://user:made-up-word@proxy.example/v1"'}))
    assert "model.base_url" in message
    assert "made-up-word" not in message


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("limits.concurrency=8", ("limits.concurrency", 8)),
        ("model.name=gpt-4o-mini", ("model.name", "gpt-4o-mini")),
        ("model.base_url=http://h/v1?a=b", ("model.base_url", "http://h/v1?a=b")),
        ('model.betas=["a", "b"]', ("model.betas", ["a", "b"])),
        ("model.stream=true", ("model.stream", True)),
        (" extract.prompt =", ("extract.prompt", "")),
    ],
)
def test_set_reads_toml_and_else_a_string(text, pair):
    assert parse_set(text) == pair


@pytest.mark.parametrize("text", ["limits.concurrency", "=8", "", "  =1"])
def test_a_set_without_key_or_value_is_refused(text):
    with pytest.raises(JobError, match=r"write SECTION\.KEY=VALUE"):
        parse_set(text)


def test_a_set_is_checked_like_the_file(tmp_path):
    """An override has the same errors as a line in the file."""
    file = written(tmp_path)
    assert "Did you mean 'limits'?" in error_of(file, [("limit.concurrency", 8)])
    assert "sections are input" in error_of(file, [("concurrency", 8)])
    assert "Did you mean 'concurrency'?" in error_of(file, [("limits.concurency", 8)])
    assert "should be a section" in error_of(written(tmp_path, top="limits = 1"), [("limits.concurrency", 8)])
    assert "--limit 0: should be 1 or more" in error_of(written(tmp_path), limit_rows=0)
    assert load(written(tmp_path), [("name", "other"), ("limits.concurrency", 8)]).limits.concurrency == 8


def test_paths_are_seen_from_the_job_file(tmp_path, monkeypatch):
    """Wherever the command is run, and with --input and --output laid over."""
    file = written(tmp_path)
    monkeypatch.chdir(tmp_path)
    job = load("jobs/night.toml")
    assert (job.name, job.file) == ("night", str(file))
    assert job.input.path == str(tmp_path / "jobs" / "in.jsonl")
    assert job.output.path == str(tmp_path / "jobs" / "out")
    assert job.extract.schema == f"{tmp_path / 'thing.py'}:Thing"
    job = load(file, [("input.path", absolute("x.jsonl", tmp_path)), ("output.path", "s3://bucket/a/../b")])
    assert (job.input.path, job.output.path) == (str(tmp_path / "x.jsonl"), "s3://bucket/a/../b")
    assert load(written(tmp_path, {"extract.schema": '"a.b:C"'})).extract.schema == "a.b:C"


def test_the_job_as_json_holds_no_secret(tmp_path, monkeypatch):
    """It names the variable of the key, never its value; money is text."""
    monkeypatch.setenv("MY_KEY", "sk-made-up-0123456789")
    job = load(written(tmp_path, {"model.api_key_env": '"MY_KEY"', "budget.max_usd": "0.10", "model.betas": '["b"]'}))
    told = json.dumps(job.as_dict(), allow_nan=False)
    assert key_variable(job.model) == "MY_KEY"
    assert "sk-made-up" not in told
    assert (json.loads(told)["budget"]["max_usd"], json.loads(told)["model"]["betas"]) == ("0.1", ["b"])
    assert job.budget.max_usd == Decimal("0.1")


def test_every_number_of_the_job_file_says_its_own_range():
    """A new key can inherit none by its name: it is annotated, an amount of money, or named here as free."""
    free = {"model.temperature", "model.seed", "sandbox.seed"}
    unsaid = {
        f"{section}.{field.name}"
        for section, owner in SECTIONS.items()
        for field in fields(owner)
        for hint, meta in [plain_type(field.type)]
        if hint in {int, float} and meta is None
    }
    assert unsaid == free


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    """Unknown keys, wrong types and ranges, what is missing and what does not go together; each by its key."""
    changes = {
        "limits.concurency": "8", "limits.timeout_s": '"long"', "limits.max_attempts": "0", "model.stream": "1",
        "model.name": None, "modle.stream": "2", "prices.input_usd_per_mtok": "1.0", "zzz.a": "1",
        "chunks.max_tokens": "10", "chunks.overlap_tokens": "9", "extract.mode": '"tools"', "budget.max_usd": "-1",
        "telemetry.prometheus_file": '"a.txt"', "extract.schema": '"thing.py"',
    }  # fmt: skip
    told = error_of(written(tmp_path, changes, "prompt_version = 3")).splitlines()
    assert told[0].endswith("night.toml: 14 things are wrong:")
    wanted = [
        "unknown key modle = {'stream': 2}. Did you mean 'model'?", "unknown key zzz", "prompt_version = 3 should be",
        "[model] needs name. Add:", "extract.mode = 'tools' should be one of", "extract.schema = 'thing.py' should be",
        "chunks.overlap_tokens = 9 should be less than", "unknown key limits.concurency = 8. Did you mean",
        "model.stream = 1 should be true or false",
        "limits.timeout_s = 'long' should be a number", "limits.max_attempts = 0 should be more than 0",
        "budget.max_usd = -1 should be 0 or more USD", "[prices] needs both", "telemetry.prometheus_file = 'a.txt'",
    ]  # fmt: skip
    for one in wanted:
        assert [line for line in told if line.startswith(f"  {one}")], one


def test_a_slip_in_a_sections_name_hides_nothing(tmp_path):
    """What stands in it is looked at, and nothing of it is missing; the same for a required key."""
    text = written(tmp_path, {"model.stream": "1"}).read_text().replace("[model]", "[modle]")
    text = text.replace("max_output_tokens", "max_output_token")
    (tmp_path / "jobs" / "night.toml").write_text(text)
    text = text.replace("[modle]", '[modle]\napi_key = "sk-secret"')
    (tmp_path / "jobs" / "night.toml").write_text(text)
    told = error_of(tmp_path / "jobs" / "night.toml").splitlines()
    assert "sk-secret" not in "".join(told)
    told.remove(next(line for line in told if "unknown key model.api_key = (not shown)" in line))
    assert told[0].endswith("4 things are wrong:")
    assert "unknown key modle" in told[1]
    assert "Did you mean 'max_output_tokens'?" in told[2]
    assert "model.stream = 1 should be" in told[3]


def test_what_is_set_on_the_command_line_is_told_with_the_rest(tmp_path):
    """In the same message; no secret is shown in it."""
    told = error_of(written(tmp_path, {"model.api_key": '"sk-1"', "limits.workers": "0"}), [("model.nmae", "x")])
    assert "sk-1" not in told
    for one in ("model.api_key = (not shown)", "limits.workers = 0 should be more than 0", "unknown key model.nmae"):
        assert one in told


SCHEMA = "from pydantic import BaseModel\n\nclass Thing(BaseModel):\n    name: str\n"


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("my_own_schemas", "my_own_schemas.py"),
        ("my_own_package", "my_own_package/__init__.py"),
        ("my_own_package.things", "my_own_package/things.py"),
    ],
)
def test_a_module_schema_is_looked_for_beside_the_job_file(tmp_path, module, file):
    """As a file or a package; what Python finds by itself goes before."""
    path = tmp_path / "jobs" / file
    path.parent.mkdir(parents=True)
    path.write_text(SCHEMA)
    job = load(written(tmp_path, {"extract.schema": f'"{module}:Thing"'}))
    assert job.extract.schema == f"{path}:Thing"
    assert load_model(job.extract.schema).__name__ == "Thing"
    (tmp_path / "jobs" / "json.py").write_text(SCHEMA)
    assert load(written(tmp_path, {"extract.schema": '"json:Thing"'})).extract.schema == "json:Thing"


def test_a_package_beside_the_job_file_has_its_own_modules(tmp_path):
    """By relative imports."""
    folder = tmp_path / "jobs" / "my_own_other"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from .things import Thing\n")
    (folder / "things.py").write_text(SCHEMA)
    job = load(written(tmp_path, {"extract.schema": '"my_own_other:Thing"'}))
    assert load_model(job.extract.schema).__name__ == "Thing"


def test_a_module_that_is_nowhere_says_where_it_was_looked_for(tmp_path):
    job = load(written(tmp_path, {"extract.schema": '"my_own_nothing:Thing"'}))
    with pytest.raises(JobError, match="neither beside the job file nor where Python looks"):
        load_model(job.extract.schema)
