"""A reception that hands the call over to another agent: that is a function too, and is called with the call."""

from glottis import Call, TextMessage


async def reception(call: Call) -> None:
    """The agent that answers: asks whom the caller wants, in writing or by a key."""
    await call.send_text("Reception. Write sales or support.")
    async for message in call.messages:
        agent = AGENTS.get(message.text.strip().lower()) if isinstance(message, TextMessage) else None
        if agent is None:
            await call.send_text("There is no such department.")
            continue
        call.flush()
        await call.send_event("transferred", {"to": agent.__name__})
        await agent(call)
        return


async def sales(call: Call) -> None:
    """Has the call to itself: its audio, its messages, and its end."""
    await call.send_text("Sales. What would you like?")
    async for message in call.messages:
        if isinstance(message, TextMessage):
            await call.send_text(f"You have bought {message.text}.")
            return


async def support(call: Call) -> None:
    """Gives the caller back to themselves."""
    await call.send_text("Support. Listen to the problem:")
    async for frame in call.audio:
        await call.say(frame)


AGENTS = {"sales": sales, "support": support}
