"""What the cloud adds to a job: docs/cloud-overhead.md."""
