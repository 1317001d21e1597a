"""How near results come to a rate, size or quality that is asked for, and what that takes."""
