"""Workers that are cloud functions of a deployed stack: the client's side, and theirs."""
