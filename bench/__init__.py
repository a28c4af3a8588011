"""Figures against rivals, measured in one run: `make bench`, or `python -m bench [ROW...]` as root.

Each row runs the rivals in turns and compares medians, so that a busy machine slows both alike. Every engine has
roots and a network namespace of its own; nothing is removed between timed runs (ext4 then scans what was deleted),
so names and images are distinct. The table goes to the terminal, the raw numbers to `bench/out/figures.json`.
"""
