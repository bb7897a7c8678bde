"""The command line: a thin client of the daemon's API.

It decides nothing. It reads arguments, asks the daemon (starting it when nobody answers), shows
what is said and turns refusals into exit codes. ``list`` and ``status`` are used in loops and
prompts, so they take a path of their own that imports next to nothing: see ``quick.py``.
"""
