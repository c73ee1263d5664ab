"""Real PostgreSQL servers for tests and benchmarks: clusters, base backups, random workloads, oracles.

Python's standard library alone. The servers are those that scripts/postgres-root provides.
"""
