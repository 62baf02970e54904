"""Stands before pandas in the processes that tests start: pyarrow would import it in each, which takes 0.2 s of CPU."""

raise ImportError("not wanted here")
