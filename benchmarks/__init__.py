"""Measurements, in three rooms: speed, quality and cloud. The product imports none of them."""
