"""A snapshot in numbers, words and pictures: what one should know of data before learning from it.

Each file holds one idea: a function that computes (numpy alone), one that says it in a sentence,
one that draws it. Nothing here changes data, and no model is known here.
"""
