"""Where jobs and results live, shared by the API and the worker: records in Redis, bytes in a file store."""
