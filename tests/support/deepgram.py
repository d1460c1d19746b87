"""What Deepgram answers, as its documentation has it."""

from typing import Any


def results(text: str, *, is_final: bool) -> dict[str, Any]:
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": 1.0,
        "start": 0.0,
        "is_final": is_final,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": []}]},
        "metadata": {
            "request_id": "1",
            "model_info": {"name": "nova", "version": "1", "arch": "nova-3"},
            "model_uuid": "2",
        },
    }


METADATA = {
    "type": "Metadata",
    "transaction_key": "deprecated",
    "request_id": "1",
    "sha256": "2",
    "created": "2026-01-01T00:00:00Z",
    "duration": 1.0,
    "channels": 1,
}
