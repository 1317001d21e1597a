"""What a job costs, counted or estimated."""
