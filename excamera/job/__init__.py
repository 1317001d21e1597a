"""A job as data: its options, plan, objects, records and flow."""
