"""What happens around a job: uploads, failures, cancelling, its end and the notices of it."""
