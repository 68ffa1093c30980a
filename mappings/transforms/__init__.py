"""The transforms, one idea a file: each gives a `syncline.lens.Step` (or, where `put` must see what the side shows, a pair of functions)."""
