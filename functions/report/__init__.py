"""Makes the report of a job."""
