"""A worker of a run: a process that carries its share of the rows, and asks the run for every admission."""
