"""How near predicted ratings come to given ones: RMSE, MAE and MSE, with the means beside them.

Says nothing about which items a list should hold; for that there are ranked lists.
"""
