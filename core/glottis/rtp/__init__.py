"""RTP engines: reception with jitter buffer and playout, sending, RTCP. Plain packets in, plain packets out."""
