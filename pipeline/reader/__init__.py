"""Files → text by page and facts of each page, read in child processes; and pages that go to a model as they are."""
