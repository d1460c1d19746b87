"""A device that keeps in touch with a gateway: ``glottis device``."""
