"""The call that an agent is given: bounded streams, utterances and messages above a peer connection."""
