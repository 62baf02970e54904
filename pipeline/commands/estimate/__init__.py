"""`pipeline estimate`: counted, priced, and by what answers have taught."""
