"""Bytes to values and back, without any state: STUN, RTP, RTCP, and what tells them apart on one socket."""
