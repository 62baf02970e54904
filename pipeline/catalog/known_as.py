"""Which name a model's window, tokenizer and limits are looked up by. Pure."""

from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.windows import limits_of
from pipeline.job.settings import Model, Prices


def known_as(model: Model, prices: Prices) -> str:
    """The model's own name; `prices.as` where that is given and the name says nothing: a deployment's, or an id.

    Nothing that is sent goes by it.
    """
    if not prices.as_model or (limits_of(model.name).known and not PROVIDERS[model.provider].own_names):
        return model.name
    head, colon, tail = prices.as_model.partition(":")
    return tail if colon and head in PROVIDERS else prices.as_model
