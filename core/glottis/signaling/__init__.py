"""What client and gateway say to each other to set up a call: text and values, without I/O."""
