"""Messages between the workers of a job, and the groups of workers that send them."""
