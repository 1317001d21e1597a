"""What jobs of all sizes take and cost in the cloud, simulated."""
