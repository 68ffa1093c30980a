"""Whole histories of two vendors, in process, on one virtual clock and one seed: real rounds, a real store, judged by the vendors' truth.

profiles    what each kind of vendor can do              habits     what vendors do to values on their way in
vendor      true state, effects, an index that lags      port       the same vendor as a connector, with its faults
mapping     the rules that are played under              words      the values that people write: each says which edit it was
history     seed → steps, plain JSON                     world      the vendors, the clock, the engine: what a step does
play        steps → outcome                              judge      the invariants
shrink      a failing history made small
"""
