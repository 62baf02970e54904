"""The durable record that everything else is a view of. Every question to its tables is in `queries` and `audit`."""
