"""What the benchmarks of servers share: clients that ask, and processes with their memory."""
