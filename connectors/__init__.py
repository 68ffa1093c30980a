"""Adapters: one file a platform, all over one HTTP door. They may import `syncline` and HTTP libraries; never mappings, state or flows.

http            the door: pace, repeats, redaction           registry   which connectors there are, and how one is built
http_wire       requests out, bodies in                      pace       calls per second, shared by threads
http_answers    what a status means                          quality.yaml   what each connector keeps, and the proof
"""
