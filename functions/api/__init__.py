"""Lambda function `api`: the REST API of the deployed stack."""
