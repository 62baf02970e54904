"""Writes docs/job-file.md and docs/cli.md, the pages that only repeat what the code says.

    python docs/generate.py            writes both
    python docs/generate.py --check    exits 1 when a page on disk differs, or a setting has no meaning here

Names, types, defaults, choices and ranges come from `pipeline.job.settings`, help texts from `pipeline.cli`,
meanings from here.
"""

import collections.abc
import json
import re
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from pipeline.catalog.providers import PROVIDERS
from pipeline.cli import main as cli
from pipeline.errors import JobError
from pipeline.job.file import SECTIONS, TOP_KEYS, resolve
from pipeline.job.settings import Count, Job, Positive, PositiveSpan, Share, Span
from pipeline.job.values import otherwise, plain_type

DOCS = Path(__file__).parent
AGAIN = "run: python docs/generate.py"
HELP_WIDTH = 100
FILLED_IN = {"name": "the file's name without `.toml`"}  # defaults that `resolve` knows and the struct does not
UNITS = {  # end of a key → unit; the first that fits
    "_usd_per_mtok": "USD per million tokens",
    "_usd_per_day": "USD a day",
    "_usd": "USD",
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "_tokens": "tokens",
    "_ms": "ms",
    "_s": "s",
    "concurrency": "calls",
    "_attempts": "attempts",
    "workers": "processes",
    "cpus_per_worker": "cores",
}
KINDS = {str: "text", bool: "`true` or `false`", int: "whole number", float: "number", Decimal: "number"}
RANGES = {Share: ", from 0 to 1", Span: ", 0 or more", Count: ", 0 or more"}
RANGES |= {Positive: ", more than 0", PositiveSpan: ", more than 0", Decimal: ", 0 or more"}

JOB_FILE = """\
<!-- Written by docs/generate.py from pipeline/job/settings.py: mend those, and run it. -->

# The job file

TOML. Relative paths are relative to the job file. A key that does not exist is an error that names the nearest one that
does; a value of the wrong type or out of range is an error that says what it should be; a key or choice that this
version does not have yet is refused by name. All of that before anything is sent, with exit code 2.

Every key can be set for one command with `--set SECTION.KEY=VALUE` ([cli.md](cli.md)). Whole files to start from are in
[jobs/](../jobs). What becomes of rows and runs that fail: [failures.md](failures.md).
"""
SEVERAL_MODELS = """
## [models.NAME], [[route]] and [[fallback]]

More models than one, with what they are for: [more than one model](guides/models.md).

```toml
[models.strong]                 # the keys of [model], with [models.strong.limits] and [models.strong.prices]
provider = "anthropic"
name = "claude-sonnet-4-5"
max_output_tokens = 2048

[[route]]                       # the first that fits, else [model]: min_input_tokens, where, or both
min_input_tokens = 100000
where = {column = "language", in = ["ja", "zh"]}
model = "strong"

[[fallback]]                    # tried in order
on = ["invalid_output", "outage"]
model = "strong"
```

Causes of a fallback: `invalid_output`, `truncated`, `refused`, `blocked`, `context_exceeded`, `ungrounded`, which are
outcomes of a row; `outage`, `quota`, `model_unavailable`, `auth`, which would park the run. With
`--set`: `models.strong.name=...`.
"""
CLI = """\
<!-- Written by docs/generate.py from pipeline/cli/: mend that, and run it. -->

# The commands

What each prints with `--help`. Exit codes: [failures.md](failures.md). Every setting: [job-file.md](job-file.md).
"""

# A section, or a setting with an example; after #, and in the indented lines below, what it means.
MEANINGS = r"""
name = "supplier-invoices"  # What the job is called in `run.json`, and as `feature` in `calls.parquet`.
prompt_version = "2026-11-23"  # A label that goes with every result and call; change it with the prompt. It decides
  nothing: what is found again goes by the prompt itself.
[input]  # What is read. Rows keep the order of the files' names, and of the rows in them.
input.path = "../sample_data/invoices.jsonl"  # A file, a folder (with its subfolders; names that begin with `.` or `_`
  are left out) or a glob. Tables end in `.jsonl`, `.ndjson`, `.csv`, `.tsv` (each also `.gz` or `.zst`) or `.parquet`.
  CSV and TSV begin with a header; all their values are text, and quotes are as in RFC 4180. CSV without a comma in its
  header, but with semicolons, is separated by these. Documents (`.pdf`, `.png`, `.jpg`, `.webp`, `.gif`, `.tiff`,
  `.heic`, `.txt`, `.md`, `.html`, `.eml`, `.docx`, `.xlsx`) are a row each, named by their path below the folder, with
  the columns `name`, `size`, `pages` and `media_type`. Local, or `s3://`, `gs://`, `az://`, `abfss://`. Folders named
  `year=2024` give their rows a column `year`, as text, where the file has none of that name.
input.id = "id"  # The column that names a row in results, `pipeline show` and errors: a string or a whole number. A row
  without one, named `row 7 (no id)`, or with that of an earlier row is a `bad_row`. Empty: rows are named by position,
  from 0.
input.text = "body"  # The column that holds the document. Missing, null, blank or no string: the row is a `bad_row`.
input.document = "file"  # Instead of `input.text`: the column that holds a row's document as bytes, or names its file:
  a path relative to the table and not above its folder, or `s3://`, `gs://`, `az://`; never http. Empty: the text is
  in `input.text`.
input.tenant = "customer"  # The column that says whose document it is: for `pipeline costs --by tenant`, `tenant_hash`
  in `calls.parquet` and `budget.tenant_max_usd_per_day`. The ledger has its values; `calls.parquet` and telemetry have
  their hashes alone. Empty, or null in a row: nobody's.
input.keep = ["received_on"]  # Columns copied into the results, which must have no such column yet. Empty: none.
[extract]  # What is asked for.
extract.schema = "../schemas/invoice.py:Invoice"  # A Pydantic class, as `FILE.py:Class`, or as `module:Class` that can
  be imported or stands beside the job file. Its field descriptions are part of the question, its validators decide what
  a good answer is. The file is run, so use only one that you trust.
extract.system = "You read supplier invoices."  # The system prompt, the same for every call. Empty: none is sent.
extract.prompt = "Extract the invoice.\n\n{text}"  # The user's message. `{text}` is the document, or a chunk of it, and
  has to be there, as `{text}` or by the name that `input.text` has; `{column}` is any other input column: a row that
  lacks it is a `bad_row`, a null is as good as an empty text. `{column?}`: rows, and the whole input, may lack it. `{{`
  and `}}` are braces. Braces in a document mean nothing.
extract.mode = "tool"  # How the form of an answer is asked for. `auto`: the strictest that provider and model have.
  `json_schema`: a schema that the provider enforces. `tool`: a forced function call. `json_object`: any JSON object,
  with the schema in the prompt. `two_step`: first in words, then a second call brings them into form. Every answer is
  checked here, in any mode.
extract.merge = "concat"  # How the records of a document's chunks become one. `auto`: lists are joined, other fields
  are the first that is not null, and those on which chunks disagree are named in `conflicts`. `concat`: the same
  without `conflicts`. `first`: the record of the first chunk. `none`: no merging, one result row for each chunk. A
  method `merge_chunks(records)` of the schema goes before `auto` and `concat`. A document of one chunk is not touched.
  Validators of whole models are put to the merged record ([more](guides/schema.md#validators-when-a-document-is-cut)).
extract.prompt_file  # A file that holds the prompt, instead of `prompt`: UTF-8, from the job file's folder; a line
  break at its end is left out. The same text is the same question wherever it stands. Given on the command line,
  `prompt` and `prompt_file` each replace the job file's other one ([more](guides/prompts.md)).
extract.system_file  # A file that holds the system prompt, instead of `system`, in the same way.
extract.examples = [{text = "Invoice 7, total 3.00", record = {number = "7", total = "3.00"}}]  # Documents and the
  records that are wanted of them, sent as turns before each document, and counted with each call. Also as
  `[[extract.examples]]`. A record is checked against the schema before anything is sent, by the names or the aliases
  of its fields, and said in the form that the provider is asked for. The prompt's other columns have to be `{column?}`.
  With `two_step` they go with the second step ([more](guides/prompts.md#examples)).
extract.evidence = "align"  # Whether each value of a record is looked for in its document, and where it stands is told
  in `evidence`. `align`: by meaning (numbers, dates, names, ids in any of their spellings), here, with no token spent.
  `ask`: and for required values that are not found, one small call a row asks for the line, which is then looked at in
  the same way ([more](guides/evidence.md)).
extract.min_grounded = 0.8  # The share of a record's texts, numbers and dates that must be found in its document. A row
  below it gets the one repair, with these values named, and then fails as `ungrounded`. More than 0 is as good as
  `evidence = "align"`. A document without a text, such as a scan that goes as it is, is never below it.
extract.keep_text  # A column `text` in the results: the row's text, which `evidence` counts its places in.
extract.tools = ["lookups.py:find_vendor"]  # Functions of your own that the model may call before it answers, as
  `FILE.py:function` or `module:function`. Their types are checked before each call, and their docstrings tell the model
  what they are for. The file is run, so use only one that you trust. Not by batch, and not with `two_step`
  ([more](guides/tools.md)).
extract.max_tool_rounds = 5  # How many times the model may ask for look-ups, for each document or chunk of one, before
  it has to answer. Each is a call that is paid for.
extract.tool_timeout_s = 10.0  # What one look-up may take. One that raises or takes longer is told to the model once;
  when that function fails again, the row ends as `tool_error`.
[model]  # Who is asked. What changes an answer (provider, name, api, sampling, tier, `extra`, betas, output cap)
  is part of how it is found again: after a change of one of these the rows are asked anew.
model.provider = "openai"  # Whose protocol is spoken. `openai` is for every server that speaks it too, with `base_url`.
  `sandbox` answers by rules on this machine, needs no account and costs nothing. `instructor:groq`,
  `instructor:mistral` and so on go through instructor's clients ([more](providers.md#through-instructor)).
model.name = "gpt-4o-mini"  # The model as the provider calls it; for `azure` the deployment, for `bedrock` also an
  inference profile or ARN, for `sandbox` the model that is rehearsed, whose tokenizer, window and price apply.
model.max_output_tokens = 1024  # The cap on one answer, with its reasoning; also what each call reserves of the window,
  the limits and the budget. An answer that reaches it is asked for once more with twice the cap (at most the model's
  own); then the row ends as `truncated`.
model.temperature = 0.0  # Sent only when it is set. Reasoning models and the newest versions of Anthropic refuse it.
model.top_p = 0.9  # Sent only when it is set. Models that reason refuse it; Claude 4.1 to 4.6 take it or a temperature.
model.seed = 7  # Sent only when it is set; Anthropic and Bedrock have no field for one, and are refused by name.
model.stop = ["END"]  # Words that end an answer: four at the most for OpenAI, five for Gemini. An answer that one has
  cut is judged by what it says, as any other. OpenAI's o-series and gpt-5 refuse them. Empty: none.
model.reasoning = "low"  # How much a model thinks before it answers: a level, or a number of tokens, in the model's own
  words ([providers.md](providers.md#how-much-a-model-reasons)). It counts inside `max_output_tokens`. What a model
  does not take is refused by `check` and `run`. `default`: nothing is sent.
model.service_tier = "flex"  # `flex`: cheaper, slower, and sometimes without room. `priority`: dearer. What is
  reserved of `budget.max_usd`, and estimates, are at its price; each call costs what its answer says. A tier that a
  provider does not sell is refused ([more](providers.md#service-tiers)).
model.flex_fallback = true  # Where `flex` has no room, the same request goes out at the default tier, at its price.
  `false`: it is waited out as any rate limit.
model.safety = {HARM_CATEGORY_DANGEROUS_CONTENT = "BLOCK_NONE"}  # Only for `gemini` and `vertex`: Google's names of
  categories and thresholds. Empty: as the account has them.
model.extra = {verbosity = "low"}  # Goes to the top level of the body as it is, tables too, and is part of how an
  answer is found again. A key that is set by this package is refused by its name
  ([examples](providers.md#servers-of-others-and-what-only-they-know)).
model.send_tenant = true  # The hash of `input.tenant` goes along as the provider's own field for end users. It is no
  part of how an answer is found again: equal documents of two tenants stay one request, with the hash of one of them.
model.base_url = "https://gateway.example/v1"  # A compatible server or gateway: with `/v1` at the end for `openai`, the
  bare host for the others; behind `instructor:NAME` as its client has it. Without one: the provider's own; for
  `sandbox` one is started for the run.
model.api_key_env = "TEAM_A_KEY"  # The name of the environment variable that holds the key, never the key itself.
  `azure` without a key uses Entra. `bedrock` (the AWS credential chain), `vertex` (application default credentials) and
  `sandbox` need none.
model.stream = true  # Read answers as they are made: `limits.idle_timeout_s` then counts, and `ttft_ms` is known.
  Answers are the same.
model.api = "responses"  # `chat` and `responses` are OpenAI's, Azure's and the sandbox's: chat completions, or the
  Responses API, whose answers are others: a change asks the rows anew. `converse` and `invoke` are Bedrock's: the one
  form for all models, or the maker's own. `auto`: `responses` for models that have nothing else (o3-pro, gpt-5-pro,
  the codex models), else `chat`; for Bedrock `converse`. Responses have no `seed` and no `stop`, and take a cap of 16
  tokens at the least: `check` and `run` say so ([more](providers/openai.md#responses)).
model.region = "us-east-1"  # Only for `bedrock` and `vertex`: where the calls go.
model.api_version = "2025-04-01-preview"  # Only for `azure`. Without one: the endpoint that needs none.
model.transport = "sdk"  # `http`: the connection that comes with this package. `sdk`: the provider's official package
  carries the same body, at more CPU a call, for what only it can reach; its own retries are off.
model.project = "acme-extraction"  # Only for `vertex`: the Google Cloud project.
model.lane = "batch"  # `live`: calls answered at once. `batch`: the provider's batch API, at its price. `auto`: batch
  while the deadline allows it, the rest live. Answers are found again whatever lane they came by.
model.caching = "off"  # `auto`: the part that all requests share (system prompt, schema, tool) is marked for the
  provider to keep where that pays (`check` says so): by Anthropic, and for Claude and Nova on Bedrock. `on`: always.
  OpenAI and Gemini keep it by themselves.
model.betas = ["context-1m-2025-08-07"]  # Only for `anthropic`: sent as `anthropic-beta`, logged with calls. Empty:
  none.
[chunks]  # How a document that is too long for one call is cut: at the largest boundary that fits (section, paragraph,
  line, sentence, word), each chunk within the token budget.
chunks.max_tokens = 6000  # The most tokens of document in one call. 0: what the window leaves after the output cap,
  prompt, schema and a margin. More than that is an error before anything is sent.
chunks.overlap_tokens = 60  # How much of its predecessor's end a chunk repeats; less than half of `max_tokens`. List
  items that are equal in both are merged into one. 0: none.
chunks.context = "window"  # `none`: chunks are asked about each on its own, side by side. `rolling`: with a running
  summary of those before, one after another. `window`: with the records of the last `chunks.window` chunks, one after
  another ([more](guides/prompts.md#what-a-chunk-knows-of-those-before)).
chunks.window = 3  # With `context = "window"`: of how many chunks before the records go along, as far as there is room:
  a quarter of what the window leaves, where the oldest are left out first.
chunks.select = 6  # Of a longer document only so many chunks are asked about: the first, and those that the schema's
  names and descriptions point at, by words (BM25), here and with no token spent; in their order. `chunks_skipped` in
  the results says how many were left out. A chunk is the same question as without, so that answers on record are
  found. Files that go by pages are left whole. 0: all ([more](guides/costs.md#only-the-chunks-that-matter)).
chunks.pack = 8  # Up to so many short documents of one tenant go in one call, 32 at the most; each row is judged,
  repaired, costed and retried on its own, and what does not come back as one record for each is asked for one by one.
  1: each alone ([more](guides/packs.md)).
[documents]  # How files are read that are documents: PDFs, images, mail, office files, HTML.
documents.read = "auto"  # `text`: a file's own text. `native`: the file goes to the model. `image`: pages drawn.
  `auto`: text where every page has a sound text layer, else native, else image.
documents.pages_per_call = 10  # Of a file that goes native or as images. 0: as many as provider, window and size allow,
  20 at the most.
documents.overlap_pages = 1  # Pages that a call has in common with the one before: half of pages_per_call at most.
documents.image_px = 1300  # Longest edge of a drawn page, in pixels, at most 10000: it decides what the picture of a
  page costs.
documents.embedded_xml = "compare"  # The XML inside an e-invoice (ZUGFeRD, Factur-X, XRechnung). `compare`: the record
  is held against it, and fields that differ are named in `xml_conflicts`. `ignore`: it is not read.
documents.password_env = "PDF_PASSWORD"  # The variable that holds the password of protected files. Empty: they are
  `bad_row`.
documents.max_pages = 1000  # A file with more is a `bad_row`.
documents.max_mb = 50  # Likewise, megabytes.
[batch]  # The provider's batch API, where `model.lane` asks for it: answers within a day, at half the price.
batch.deadline_h = 24.0  # Hours from the first submission by which all rows are to be done; fractions are taken, and a
  resume does not extend it.
batch.after_deadline = "wait"  # `live`: what is known not to be billed is asked live, at the live price, in time for
  the deadline. `wait`: it stays pending.
batch.max_rows = 5000  # Of one batch: smaller ones lose less where one goes wrong.
batch.poll_s = 60  # The longest time between two looks. 0: by schedule, from 15 s growing to 5 minutes.
batch.repair = "live"  # Where second questions go. `auto`: live while they are few or time is short, else a batch.
batch.orphan = "ask"  # Of Anthropic alone, where the answer to a submission was lost and no such batch is found there.
  `resubmit`, or `ask`: park, and say so.
batch.keep_remote_files = true  # Do not delete our files at the provider once all is collected.
batch.role_arn = "arn:aws:iam::000000000000:role/batch"  # Bedrock: the role that reads and writes the bucket.
batch.s3_url = "s3://bucket/batches"  # Bedrock: where its files go.
batch.gcs_url = "gs://bucket/batches"  # Vertex: where its files go.
batch.deployment = "gpt-4o-mini-batch"  # Azure: a deployment of the kind Global-Batch or DataZone-Batch.
[limits]  # How fast, how long, how often.
limits.concurrency = 16  # The ceiling on calls in flight. Limits, a budget or a provider in trouble make it fewer.
limits.requests_per_minute = 500  # Only to stay below what the account allows. 0: not known, and learned from the
  provider's headers and its 429s, which are waited out.
limits.input_tokens_per_minute = 200000  # The same for input tokens. A call that alone needs more fails its row as
  `context_exceeded`.
limits.output_tokens_per_minute = 50000  # The same for output tokens, where a call counts with its cap. Less than
  `model.max_output_tokens` is an error.
limits.timeout_s = 60  # One attempt in all, from connecting to the last byte; waiting for a turn is not part of it.
  After that it is a failure, and as it may have been billed its worst case stays reserved in the budget.
limits.idle_timeout_s = 15  # The longest silence between bytes, only with `model.stream`; then as `timeout_s`.
limits.max_attempts = 3  # How often one call is tried, the first time included, if it fails with a 5xx, a timeout, a
  broken connection or an empty answer. After that the row ends as `provider_error` or `timeout`. A 429 does not count.
limits.max_wait_s = 900  # How long a request that was answered with a 429 waits out rate limits, from its first 429 on;
  then its row ends as `rate_limited`. 0: as long as it takes.
limits.workers = 2  # Processes that share the rows, for when one core is not enough: a call costs some 0.2 ms of CPU,
  so that one process makes some 4,000 calls a second. Limits, budgets and the ledger stay one. A worker that dies is
  replaced, and its calls in flight are booked as lost. Each takes some 150 MB.
limits.max_failed_share = 0.02  # The share of rows that may end as `failed` with exit code 0; with more it is 1. 0:
  none.
limits.outage_s = 1800  # How long a provider that is down (failures in a row, no success) is probed before the run
  parks with exit code 4. 0: not at all.
limits.hedge_after = 0.99  # At the end of a run, when nothing waits to be sent, a call that has been out for 1.5 times
  this quantile of the run's latencies is sent once more; the first answer counts, and the other call is booked as one
  that may have cost its worst case (`error_code` hedged). 0: never.
limits.shared = false  # Whether runs of this user on this machine that ask the same endpoint with the same key for the
  same model keep its limits together and take turns. `limits.*_per_minute` of any of them then counts for all, the
  stricter where several give one; `limits.concurrency` and budgets stay each run's own. Not on Windows.
[engine]  # Where the rows are worked on. It is no part of what is asked: what was paid for here is found there.
engine.on = "ray"  # `local`: this machine. `ray`: the nodes of a Ray cluster (extra `ray`), under one set of limits and
  one cap; ledger, admission and results stay in the command's own process. Not with `limits.workers` or the batch lane.
engine.address = "10.0.0.5:6379"  # The head of the cluster. `auto`: the cluster that this machine is of.
engine.workers = 16  # Processes on the cluster's nodes. Those that find no room are waited for while the others work.
engine.cpus_per_worker = 0.5  # What each reserves of its node: a schema with heavy validators keeps a core busy.
[budget]  # Hard caps in USD. Both need a price for the model.
budget.max_usd = 5.00  # What the run may cost, its resumed sessions and retries included. Kept by reservation: a call
  is sent only when its worst case fits beside all calls in flight; when none fits any more the run parks with exit code
  3. 0: only what is free. Not set: no cap.
budget.tenant_max_usd_per_day = 1.00  # The same for each value of `input.tenant` and day. Rows of a tenant that do not
  fit stay `pending`, with exit code 3. Not set: no cap.
budget.confirm_above_usd = 1.00  # `run` and `retry` show their estimate and ask when they may cost more than this and
  there is no `max_usd`; with or without one, when rows done before would cost that much again because the prompt, the
  model or the schema changed, or by `--fresh`. What costs less is told, not asked. Without a terminal it needs `--yes`,
  and `--yes-rerun` to pay again because of a change. A model without a price is warned about. In the local sandbox,
  which is free, what would be asked of a changed job is told.
budget.alert_at = 0.5  # Warns once when this share of `max_usd` is spent, and once a day for each tenant when this
  share of `tenant_max_usd_per_day` is. No effect without a cap.
budget.alert_command = ["/opt/ops/page", "--team", "billing"]  # A program to run at such a warning, without a shell; it
  reads the alert as one JSON object on standard input and has 30 s. Keep its secrets in its environment, not here.
[prices]  # For a model that the price table does not know, or to override it: docs/guides/costs.md. At most 1,000,000
  USD per million tokens. What is given here holds in every service tier and for requests of any length.
prices.as = "gpt-4o-mini"  # The model of the price table that this one is: for a deployment, a fine-tuned model, an ARN
  or a gateway's name. `PROVIDER:NAME` for another provider's. It tells the price; and the window, the tokenizer and how
  limits are charged where `model.name` says nothing of these, on `azure` always. Nothing that is sent goes by it.
prices.input_usd_per_mtok = 0.15  # Input tokens. With `output_usd_per_mtok` or not at all. Not set: the price table.
prices.output_usd_per_mtok = 0.60  # Output tokens, reasoning included. Not set: the price table.
prices.cached_input_usd_per_mtok = 0.075  # Input that the provider has kept; alone too, where the table knows the
  model. Not set: as other input where that is given here, else the price table.
prices.cache_write_usd_per_mtok = 0.15  # Input that the provider is asked to keep; the same.
prices.batch_share = 0.5  # Of the price, for what goes by the provider's batch API; from 0 to 1. Not set: what is known
  of it.
[output]  # Where it goes.
output.path = "../out/invoices"  # A local folder, made when it is missing: results, call log, manifest and ledger. Not
  on a network file system. Or s3://, gs:// or az:// (extra `cloud`): worked on in a local mirror, uploaded whole every
  minute and at the end, and what the ledger commits each second between. One run at a time uses it.
[telemetry]  # What other programs are told while a run goes on. OpenTelemetry needs no key: docs/observability.md.
telemetry.prometheus_file = "/var/lib/node_exporter/invoices.prom"  # Counters for the node exporter's textfile
  collector, replaced every 5 s and at the end. Its name ends in .prom; its folder has to be there. Empty: none.
[sandbox]  # Limits, latency and faults of the local provider. Only for `provider = "sandbox"` without a `base_url`. The
  shares are of all requests and add up to 1 at the most.
sandbox.requests_per_minute = 600  # Beyond it the answer is a 429 with a hint. 0: no limit.
sandbox.tokens_per_minute = 100000  # The same for input and reserved output together. 0: no limit.
sandbox.burst_s = 1  # How much both limits let through at once: as much as refills in this many seconds.
sandbox.latency_ms = 200  # The median time to an answer; each is up to half shorter or longer. 0: at once.
sandbox.seed = 7  # The same seed gives the same request the same fault and latency, whatever the order.
sandbox.throttled = 0.05  # A 429 with a hint.
sandbox.server_error = 0.02  # A 500 or a 503.
sandbox.timeout = 0.01  # No answer at all.
sandbox.invalid_output = 0.05  # An answer that does not fit the schema.
sandbox.truncated = 0.01  # An answer cut off at the cap.
sandbox.refused = 0.01  # A refusal.
sandbox.disconnect = 0.01  # The connection cut in the middle of the answer.
sandbox.batch_s = 60  # How long a batch takes. [More of batches](providers/sandbox.md#batches).
sandbox.batch_expired = 0.05  # Of a batch's lines: never run, as after a day.
sandbox.batch_refused = 0.02  # Of a batch's lines: an error of their own, not billed.
"""


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a page on disk differs.")
def main(check: bool) -> None:  # noqa: FBT001 (click's way)
    """Write docs/job-file.md and docs/cli.md."""
    if problems := unwritten() or (outdated(DOCS) if check else []):
        raise SystemExit("\n".join(problems))
    if not check:
        for name, text in pages().items():
            (DOCS / name).write_text(text, encoding="utf-8")


def unwritten() -> list[str]:
    """What has to be mended by hand in MEANINGS before there can be pages."""
    told, known = set(meanings()), {*SECTIONS, *(key for key, _, _ in settings())}
    found = [f"{key} of pipeline/job/settings.py has no meaning" for key in sorted(known - told)]
    found += [f"{key} is not in pipeline/job/settings.py" for key in sorted(told - known)]
    if not found and (refusal := _refusal()):
        found = [f"the examples are no job: {refusal}"]
    return [f"docs/generate.py: MEANINGS: {problem}. Mend it, then {AGAIN}" for problem in found]


def outdated(folder: Path) -> list[str]:
    """The pages in `folder` that are not what the code says."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return [
        f"docs/{name} is not what the code says; {AGAIN}" for name, text in pages().items() if there.get(name) != text
    ]


def pages() -> dict[str, str]:
    """File name → text."""
    root = cli.make_context("pipeline", [], resilient_parsing=True, terminal_width=HELP_WIDTH)
    contexts = [root]
    for verb, command in cli.commands.items():
        contexts.append(command.make_context(verb, [], parent=root, resilient_parsing=True))
    helps = [f"\n## {context.command_path}\n\n```text\n{context.get_help()}\n```\n" for context in contexts]
    sections = [_section(section) for section in ("", *SECTIONS)]
    return {"job-file.md": JOB_FILE + "".join(sections) + SEVERAL_MODELS, "cli.md": CLI + "".join(helps)}


def settings() -> Iterator[tuple[str, FieldInfo, Any]]:
    """(section.key, field, type) of every setting."""
    for section, owner in (("", Job), *SECTIONS.items()):
        for field in fields(owner):
            if section or field.name in TOP_KEYS:
                yield f"{section}.{field.encode_name}".lstrip("."), field, field.type


def meanings() -> dict[str, tuple[str, str]]:
    """Section or section.key → (example, meaning)."""
    told = {}
    for entry in re.split(r"\n+(?=\S)", MEANINGS.strip()):
        head, _, meaning = entry.partition("  # ")
        key, _, example = head.partition(" = ")
        told[key.strip("[]")] = example, " ".join(meaning.split())
    return told


def _section(section: str) -> str:
    """One section of the page: what it is for, an example of all its keys, and a table of them."""
    title, intro = (f"[{section}]", meanings()[section][1] + "\n\n") if section else ("Above the sections", "")
    head = "| key | value | unit | default | meaning |\n|---|---|---|---|---|\n"
    rows = [
        f"| `{field.encode_name}` | {_values(key, kind)} | {_default(key, field)} | {_meaning(key)} |\n"
        for key, field, kind in settings()
        if key.rpartition(".")[0] == section
    ]
    return f"\n## {title}\n\n{intro}```toml\n{_example(section)}```\n\n{head}{''.join(rows)}"


def _example(section: str) -> str:
    """The examples of a section as TOML."""
    examples = {key.rpartition("."): example for key, (example, _) in meanings().items() if example}
    lines = [f"{name} = {example}\n" for (owner, _, name), example in examples.items() if owner == section]
    return "".join([f"[{section}]\n" if section else "", *lines])


def _values(key: str, kind: Any) -> str:
    """Two cells: what the setting takes, and in what unit."""
    told = kind
    kind, _ = plain_type(kind)
    if get_origin(kind) is Literal:
        other = f", or {otherwise(told)}" if otherwise(told) else ""
        return ", ".join(f"`{choice}`" for choice in get_args(kind)) + f"{other} | "
    if get_origin(kind) is collections.abc.Mapping:
        return "table | "
    if get_origin(kind) is tuple or kind in {str, bool}:
        inner = "tables" if get_origin(kind) is tuple and issubclass(get_args(kind)[0], Struct) else "texts"
        return KINDS.get(kind, f"list of {inner}") + " | "
    taken = RANGES.get(told, RANGES.get(kind, ""))
    unit = next((unit for end, unit in UNITS.items() if key.endswith(end)), "share" if told is Share else "")
    return f"{KINDS[kind]}{taken} | {unit}"


def _default(key: str, field: FieldInfo) -> str:
    if field.default_factory is dict:
        return "`{}`"
    if field.default is NODEFAULT:
        return FILLED_IN.get(key, "required")
    return "not set" if field.default is None else f"`{json.dumps(field.default, default=float)}`"


def _meaning(key: str) -> str:
    """With the environment variables that are read where the setting is empty."""
    section, _, name = key.rpartition(".")
    table = (
        {provider: found.environment.get(name, ()) for provider, found in PROVIDERS.items()}
        if section == "model"
        else {}
    )
    if key == "model.api_key_env":
        table = {provider: (found.key_env,) for provider, found in PROVIDERS.items() if found.key_env}
    told = [f"{' or '.join(f'`{one}`' for one in names)} (`{provider}`)" for provider, names in table.items() if names]
    return meanings()[key][1] + (f" When empty, from the environment: {', '.join(told)}." if told else "")


def _refusal() -> str:
    """Why the examples are no job; or nothing."""
    table = tomllib.loads("\n".join(_example(section) for section in ("", *SECTIONS)))
    try:
        resolve(table, DOCS / "example.toml")
    except JobError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main()
