"""One row's decisions: what to ask, what to make of an answer, and how chunks become one record. Pure but `prepare`."""
