"""What callers hear: an echo of recorded speech over bad networks, judged by PESQ-WB and by the samples."""
