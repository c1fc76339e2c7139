"""What all rooms that speak HTTP share: JSON answers, routes whose questions end in time."""
