"""What a policy that was never shown would have earned, from the log of another that was.

Off-policy evaluation of contextual bandits: one shown item a round, chosen with a known chance.
"""
