"""The transforms, one idea a file.

Each gives a `syncline.lens.Step` or, where `put` must see what the side shows now, a pair of functions for `focus.focus_beside`.
Only `mappings` imports them.
"""
