"""What plugins share that ask services over the network: one error, one way to send requests, one of audio."""

from glottis_services.errors import ServiceFailed
from glottis_services.http import Answer, HttpService
from glottis_services.pcm import PcmReader
from glottis_services.settings import ServiceConfig

__all__ = ["Answer", "HttpService", "PcmReader", "ServiceConfig", "ServiceFailed"]
