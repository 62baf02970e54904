"""pyarrow without pandas.

To ask whether a list is one of pandas' own things, pyarrow imports pandas where it is installed: 0.15 s and 50 MB, and
the answer is no. Asked beforehand while pandas cannot be found, it remembers that. Whoever needs pandas still gets it:
`to_pandas` looks again.
"""

import sys
from importlib.machinery import ModuleSpec

import pyarrow as pa


class _Nowhere:
    """A finder that has the say before all others, and no pandas."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not looked for now", name=name)
        return None


def spare_pandas() -> None:
    """To be called before the first `pa.array`, and after the user's modules are loaded: what they import stays."""
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _Nowhere)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_Nowhere)
