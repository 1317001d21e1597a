"""The manifests of a ladder: what players read to choose among its files."""
