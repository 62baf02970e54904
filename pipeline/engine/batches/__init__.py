"""The batch lane: requests that are planned, submitted as files of lines, looked at, and collected into the ledger."""
