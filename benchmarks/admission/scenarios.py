"""What is simulated: the providers, the rows sent to them, and what the job knows of the limits."""

import math
import random
from dataclasses import dataclass, field

from meters import Change
from provider import Limit, Row, Rules

from pipeline.types import Dimension

LATENCY_MEDIAN_S, LATENCY_P99_S = 2.0, 20.0
SERVER_BIAS, ESTIMATE_NOISE = 1.1, 0.08  # the provider counts more tokens than we do, and not always as many more
LIKENESS = 0.6  # how much longer answers take longer
LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Mix:
    """Documents and answers: log-normal tokens. `big` of them are `times` larger."""

    median_inputs: float = 800.0
    median_outputs: float = 225.0
    spread: float = 0.6
    max_output_tokens: int = 1024
    big: float = 0.0
    times: float = 1.0
    by_size: int = 0  # 1: small documents first, -1: large first


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    what: str
    rules: Rules
    rows: int
    mix: Mix = Mix()
    failing: float = 0.01  # of attempts end in a 5xx
    clients: int = 1  # processes on one key, which do not know of each other
    known: bool = True  # whether the limits can be known: given by the job, or told by headers
    job: dict[str, int] = field(default_factory=dict)  # limits that the job gives
    profile: str = "openai"
    over: float = 1.5  # where limits are unknown: what clients that must be told a limit are told, over the real one

    def drawn(self, seed: int) -> list[Row]:
        chance = random.Random(f"{self.name}/{seed}")
        rows = [_row(number, self.mix, self.failing, chance) for number in range(self.rows)]
        if self.mix.by_size:
            rows.sort(key=lambda row: row.inputs * self.mix.by_size)
            for number, row in enumerate(rows):
                row.number = number
        return rows


def _row(number: int, mix: Mix, failing: float, chance: random.Random) -> Row:
    estimated = mix.median_inputs * chance.lognormvariate(0, mix.spread)
    if chance.random() < mix.big:
        estimated *= mix.times
    length = chance.gauss(0, 1)
    outputs = min(mix.max_output_tokens, max(5, mix.median_outputs * math.exp(mix.spread * length)))
    sigma = math.log(LATENCY_P99_S / LATENCY_MEDIAN_S) / 2.326
    drawn = LIKENESS * length + math.sqrt(1 - LIKENESS**2) * chance.gauss(0, 1)
    failures = 0
    while chance.random() < failing:
        failures += 1
    return Row(
        number,
        estimated=max(1, int(estimated)),
        inputs=max(1, int(estimated * SERVER_BIAS * chance.lognormvariate(0, ESTIMATE_NOISE))),
        outputs=int(outputs),
        most=mix.max_output_tokens,
        latency_s=min(LONGEST_S, LATENCY_MEDIAN_S * math.exp(sigma * drawn)),
        failures=failures,
    )


RPM, TOKENS, INPUT, OUTPUT = Dimension.REQUESTS, Dimension.TOKENS, Dimension.INPUT_TOKENS, Dimension.OUTPUT_TOKENS
TAKEN = (Change(200, 600, taken=0.4),)
BEDROCK = Rules((Limit(TOKENS, 2_200_000), Limit(RPM, 6000)), settle="refund", burn=5.0)


def _openai(*, told: bool, hint: str = "exact", changes: tuple[Change, ...] = (), **how: object) -> Rules:
    limits = (Limit(TOKENS, 1_850_000, told=told, changes=changes), Limit(RPM, 5000, told=told))
    return Rules(limits, settle="none", hint=hint, **how)


SCENARIOS = [
    Scenario("S1", "OpenAI, bound by tokens; headers", _openai(told=True), 12_000),
    Scenario(
        "S2",
        "1,200 RPM told, kept in hidden 1 s windows",
        Rules((Limit(RPM, 1200, told=True), Limit(RPM, 1200, "fixed", 1.0)), hint="whole"),
        14_000,
    ),
    Scenario(
        "S3", "Bedrock, output counts five times; silent, unknown", BEDROCK, 12_000, known=False, profile="bedrock"
    ),
    Scenario("S4", "others take 40 % from 200 to 600 s; headers", _openai(told=True, changes=TAKEN), 12_000),
    Scenario(
        "S5",
        "others take 40 % from 200 to 600 s; silent, unknown",
        _openai(told=False, hint="none", changes=TAKEN),
        12_000,
        known=False,
    ),
    Scenario("S6", "3 % of rows are 60 times larger; headers", _openai(told=True), 8_000, Mix(big=0.03, times=60.0)),
    Scenario(
        "S7", "an outage of 45 s and 2 % 5xx; headers", _openai(told=True, outage=(240.0, 285.0)), 12_000, failing=0.02
    ),
    Scenario(
        "S8",
        "Anthropic, bound by output as produced; headers",
        Rules(
            (
                Limit(OUTPUT, 270_000, told=True),
                Limit(INPUT, 2_000_000, told=True),
                Limit(RPM, 4000, told=True),
            ),
            settle="post",
            hint="whole",
            rounded=1000.0,
        ),
        14_000,
        profile="anthropic",
    ),
    Scenario(
        "S9",
        "Gemini, sliding minute of input tokens; given by the job",
        Rules((Limit(INPUT, 1_500_000, "sliding"), Limit(RPM, 2000, "sliding")), settle="post", hint="exact"),
        20_000,
        job={"input_tokens_per_minute": 1_500_000, "requests_per_minute": 2000},
        profile="gemini",
    ),
    Scenario(
        "S10",
        "2 s of burst, 40 % taken from 200 to 500 s; silent, unknown",
        Rules((Limit(RPM, 1080, span_s=2.0, changes=(Change(200, 500, taken=0.4),)),)),
        12_000,
        known=False,
    ),
    Scenario("S11", "self-hosted, 64 slots, no limit", Rules(slots=64), 8_000, known=False),
    Scenario(
        "S12",
        "the job gives twice what there is; silent",
        _openai(told=False, hint="none"),
        10_000,
        known=False,
        job={"requests_per_minute": 1850},
        over=2.0,
    ),
    Scenario("S13", "two processes on one key; headers", _openai(told=True), 12_000, clients=2),
    Scenario(
        "S14", "limit doubled after 250 s; headers", _openai(told=True, changes=(Change(250, factor=2.0),)), 18_000
    ),
    Scenario(
        "S15",
        "small documents first, bound by tokens; silent, unknown",
        Rules((Limit(TOKENS, 1_300_000), Limit(RPM, 1500)), settle="refund"),
        14_000,
        Mix(by_size=1, spread=0.8),
        known=False,
        profile="bedrock",
    ),
    Scenario(
        "S16",
        "a count per minute of the clock; silent, unknown",
        Rules((Limit(RPM, 900, "fixed"),)),
        10_000,
        known=False,
        profile="bedrock",
    ),
    Scenario(
        "S17",
        "limit doubled after 250 s; silent, unknown",
        _openai(told=False, hint="none", changes=(Change(250, factor=2.0),)),
        16_000,
        known=False,
    ),
    Scenario(
        "S18",
        "Azure, tokens counted per minute of the clock; headers",
        Rules((Limit(TOKENS, 1_850_000, "fixed", told=True), Limit(RPM, 5000, "fixed", told=True)), hint="whole"),
        12_000,
        profile="azure",
    ),
    Scenario(
        "S19",
        "1,200 RPM given by the job, kept in hidden 1 s windows; silent",
        Rules((Limit(RPM, 1200, "fixed", 1.0),), hint="whole"),
        14_000,
        job={"requests_per_minute": 1200},
    ),
    Scenario(
        "S20", "2 % of calls are refused at random; 64 slots, no limit", Rules(slots=64, stray=0.02), 8_000, known=False
    ),
]
ISOLATED = frozenset((4, 15))
SCENARIOS += [
    Scenario(
        f"S{number}",
        f"1,200 RPM, {what}, named by two isolated 429s alone",
        Rules((Limit(RPM, 1200, kind, named=True),), hint="whole", isolated=ISOLATED),
        30_000,
        known=False,
        profile=profile,
    )
    for number, kind, what, profile in (
        (21, "sliding", "a sliding minute", "gemini"),
        (22, "bucket", "a bucket", "openai"),
    )
]
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
