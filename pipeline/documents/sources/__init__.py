"""Where rows come from: files in their order, read as a stream."""
