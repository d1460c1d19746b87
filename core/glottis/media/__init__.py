"""What all calls share on the media path: UDP sockets, the wheel, and the driver of the engines."""
