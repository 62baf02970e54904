"""Outputs in a bucket: a local mirror, a lease, and objects that are whole or not there."""
