"""Amazon S3 as a store; only this package imports the AWS SDK."""
