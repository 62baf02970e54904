"""The job as values, the file it comes from, and the names of the files in its output folder."""
