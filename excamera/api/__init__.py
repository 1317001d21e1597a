"""What the API of a stack and the console of one machine share: requests, answers, refusals."""
