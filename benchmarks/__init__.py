"""How much the engine costs, beside the plainest script that moves the same data. `python -m benchmarks.run`; see docs/performance.md.

people · world     clean people, and both twins in a process of their own
floor · engine     what is measured, in fresh processes: `requests` + `json` + `sqlite3` with no logic, and Syncline
workloads · goals  what is done, what it may cost          work · measure · report · run   how it is measured and told
"""
