"""What is asked, in calls of some requests each, and what a right answer has in it."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Request:
    """``text`` is spoken by a synthetic voice, unless ``recording`` names a file."""

    text: str
    expected: str
    """A regular expression, for some part of the answer."""
    recording: str = ""


ANSWERS: Final = """# The bakery

## When are you open?
From six in the morning to one in the afternoon, and never on Sundays.

## Which bread do you have?
Rye, wheat, and walnut on Fridays.

## Where are you?
In Mill Street, beside the church.

## Where can I park?
Behind the house there are four places.

## Do you sell cakes?
Yes, but order them two days before.

## Can I pay with a credit card?
Yes, from ten euros on.

## Do you deliver?
Only within the village, before eight.
"""

CALLS: Final[tuple[tuple[Request, ...], ...]] = (
    (
        Request("Hello", "What can I do", "en_US_f_Allison/hello.g722"),
        Request("What time is it?", r"It is \d\d:\d\d"),
        Request("Could you tell me what day it is today?", "Today is"),
        Request("What is the date tomorrow?", "Tomorrow is"),
        Request("Time", r"It is \d\d:\d\d", "en_US_f_Allison/time.g722"),
        Request("Thank you very much.", "You are welcome"),
    ),
    (
        Request("What is twelve times seven?", r"\b84\b"),
        Request("How much is one hundred and five minus thirty?", r"\b75\b"),
        Request("What is fifteen percent of eighty?", r"\b12\b"),
        Request("What is the square root of eighty one?", r"\b9\b"),
        Request("Can you repeat that, please?", r"\b9\b"),
        Request("What is nine hundred divided by four?", r"\b225\b"),
    ),
    (
        Request("How many kilometers are five miles?", r"8\.05 kilo"),
        Request("How many centimeters are in ten inches?", r"25\.4 centi"),
        Request("Convert seventy degrees Fahrenheit to Celsius.", r"21\.11 degrees"),
        Request("How many grams are two pounds?", r"907\.18 grams"),
        Request("Please speak a little slower.", "Like this.*907"),
        Request("Speak louder, please.", "Like this.*907"),
    ),
    (
        Request("How do you spell necessary?", "N, E, C, E, S, S, A, R, Y"),
        Request("Please spell the word banana.", "B, A, N, A, N, A"),
        Request("Set a timer for five minutes.", "runs for 5 minutes"),
        Request("Remind me in one hour to call my mother.", "in 1 hour to call your mother"),
        Request("How much time is left?", "5 minutes has 4 minutes.*has 59 minutes"),
        Request("Cancel the five minute timer.", "5 minutes is cancelled"),
        Request("Set a timer for an hour and a half.", "runs for 1 hour and 30 minutes"),
    ),
    (
        Request("When are you open?", "From six"),
        Request("Which bread do you have?", "Rye"),
        Request("Where can I park my car?", "Behind the house"),
        Request("Do you sell any cakes?", "two days before"),
        Request("Can I pay with my credit card?", "ten euros"),
        Request("Do you deliver at home?", "village"),
        Request("What can you do?", "You can say"),
    ),
    (
        Request("I would like to leave a message.", "What is your name"),
        Request("My name is Alice Johnson.", "telephone number"),
        Request("Five five five, one two three four.", "What is the message"),
        Request("Please tell him that the car is ready.", "Alice Johnson.*5551234.*car is ready"),
        Request("No, the number is five five five, nine eight seven six.", "5559876.*car is ready"),
        Request("Yes, that is right.", "I will pass it on"),
    ),
    (
        Request("Hello, can you hear me? Please call me back.", "What is your name", "speech_16k.wav"),
        Request("Never mind.", "I leave it"),
        Request("I need some help.", "You can say"),
        Request("Goodbye", "Goodbye", "en_US_f_Allison/goodbye.g722"),
    ),
)
"""42 requests."""
