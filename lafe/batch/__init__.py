"""Photos by the thousand: jobs, batches, rows, and the files that rows go to."""
