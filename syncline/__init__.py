"""Syncline's kernel: what a contact is, what changed, who wins and why. Pure values and functions.

It promises: no clock, no randomness, no files, no network, no database, no logging; standard library only. Anyone may import it.

    records    the words everything else is said in          lens       get and put between native and canonical values
    mapping    a compiled mapping                             identity   which records are one person
    conflict   the rules, one function each                   merge      one field, one record: who wins, why
    planner    from one contact to its plan                   draft      a plan in the making
    births     one live record, none across                   deaths     one live record, a dead one across
    plan       what must be written, and what waits           guard      when a run must stop and ask
    cursor     how far a poll may claim to have read          log        entries, hashes, the fold
    errors     what went wrong, named by what to do next      ports      what a connector is
"""

__version__ = "0.1.0"
