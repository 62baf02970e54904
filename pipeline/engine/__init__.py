"""The order of a run.

`run` opens the output folder, `session` is one command's work on it; `feed` brings rows, `executors/` carry them, `row`
takes one to its outcome by way of `ask.Ask`, `call` finds or pays for an answer, and `lanes/` are the ways out.
"""
