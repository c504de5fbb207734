"""Worker: jobs in, news out. One asynchronous thread, and the process in which handlers run."""
