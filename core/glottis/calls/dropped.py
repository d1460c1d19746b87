"""What an agent was too slow for, in the statistics of its call."""

from glottis.contracts.call import Dropped
from glottis.contracts.statistics import Statistics


def with_dropped(statistics: Statistics, dropped: Dropped) -> Statistics:
    """Those of the media connection, and what the agent was too slow to take."""
    return statistics.counting(
        audio_frames_dropped=dropped.audio + dropped.turns,
        audio_packets_dropped=dropped.packets,
        dtmf_dropped=dropped.dtmf,
        messages_dropped=dropped.messages,
        events_dropped=dropped.events,
    )
