"""Names of interaction indices: light, for who only lists them."""

INDICES = ("k-SII", "STII", "SII", "BII", "Moebius")
"""Interaction indices by the names that shapiq gives them.

``k-SII``: Shapley interactions aggregated up to an order, which share out all of the game (Bordt
and von Luxburg, AISTATS 2023).  ``STII``: Shapley-Taylor, which does too (Sundararajan et al., ICML
2020).  ``SII``: Shapley interactions, and ``BII``: Banzhaf interactions (Grabisch and Roubens,
1999).  ``Moebius``: Harsanyi's dividends.
"""
