"""What an HTTP status means where a provider gives no code of its own, or one that nobody knows."""

from collections.abc import Mapping

from pipeline.errors import Kind

BY_STATUS: Mapping[int, Kind] = {
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.AUTH,
    408: Kind.OVERLOADED,
    409: Kind.OVERLOADED,
    413: Kind.CONTEXT_EXCEEDED,
    424: Kind.OVERLOADED,  # the model behind the API failed
    425: Kind.OVERLOADED,
    429: Kind.THROTTLED,
    499: Kind.OVERLOADED,
}
