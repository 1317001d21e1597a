"""Small writers and readers of the two containers a result can have: IVF and WebM."""
