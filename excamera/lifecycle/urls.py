"""URLs that the API gives: for how long, and how those of results with one name differ."""

URL_S = 3600
"""Seconds for which URLs are valid. No cache keeps a result for longer."""

VERSION = "v"
"""The parameter of a CloudFront URL with the result's ETag: a cache keeps a result for each."""
