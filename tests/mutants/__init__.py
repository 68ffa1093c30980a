"""The tests, tested: faults are put into the kernel and the engine one by one, and each must be noticed. `python -m tests.mutants`.

engine_faults   faults outside the kernel: module, text, faulty text      one       one fault in a fresh process, against the battery
battery         what an engine fault has to get past, quickest first      __main__  all of them, the kernel's too, with a table
"""
