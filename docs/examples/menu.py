"""A menu by telephone keys: beeps until one is pressed. The star key begins again, and any other hangs up."""

from glottis import AudioFrame, Call

CHOICES = {"1": "opening hours", "2": "directions"}
ANSWERS = {"opening hours": "We are open from nine to five.", "directions": "Take the tram to the last stop."}


def announcement(sample_rate: int) -> AudioFrame:
    """Stands for a recording: as many beeps as there are choices, and a pause."""
    beep = (10 * b"\x00\x18" + 10 * b"\x00\xe8") * (sample_rate // 100)
    return AudioFrame((beep + bytes(len(beep))) * len(CHOICES) + bytes(4 * sample_rate), sample_rate)


async def menu(call: Call) -> None:
    """The agent."""
    call.nursery.start_soon(announce, call)
    async for press in call.dtmf:
        call.flush()  # who knows the menu need not hear it
        if press.digit in CHOICES:
            await call.send_text(ANSWERS[CHOICES[press.digit]])
        elif press.digit == "*":
            call.nursery.start_soon(announce, call)
        else:
            call.hang_up("the caller wants nothing of the menu")


async def announce(call: Call) -> None:
    """Say what there is to choose."""
    await call.send_text(", ".join(f"{digit}: {choice}" for digit, choice in CHOICES.items()))
    await call.say(announcement(call.sample_rate))
