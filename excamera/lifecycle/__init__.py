"""What happens around a job: uploads, failures, cancelling, its end and who hears of it."""
