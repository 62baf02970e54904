"""`pipeline eval`: the results of a run against known answers, field by field."""
