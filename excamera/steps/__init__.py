"""The steps of the pipeline as task functions: ``step(event, context) -> result``.

A step reads and writes the store under the job's `Keys`; events carry only the job's name
and numbers. Every step can run again: it finds its own result and skips, or writes equal
bytes.

Each step is a module that has a function of its own name. They are not imported here, because a
cloud function that runs one step begins faster without what the others need.
"""
