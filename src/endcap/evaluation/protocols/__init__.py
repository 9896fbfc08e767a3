"""Ways to cut data into what is learnt from and what is to be foreseen, one file each.

Each is a question; `registry.py` knows them by name, and says what each leaks.
"""
