"""Vendor twins: local HTTP servers that speak a vendor's wire format, with its lag, limits, normalising and faults.

They hold their records in memory and serve the demo, the end-to-end tests and the benchmarks. A twin imports nothing of
Syncline, so it can judge Syncline: its `/_twin/records` and `/_twin/effects` are the truth an oracle reads.
"""
