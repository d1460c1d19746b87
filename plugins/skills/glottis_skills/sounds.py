"""How words sound, roughly, and how much they sound alike: recognisers mishear what sounds alike, however it is spelt.

A sound is one character: ``T`` as in thin, ``S`` shoe, ``C`` chin, ``J`` jam, ``N`` sing; the vowels ``i`` see, ``I``
sit, ``e`` set, ``E`` say, ``a`` sat, ``A`` car, ``O`` go, ``U`` too, ``u`` cup, ``Y`` my, ``W`` now, ``R`` her. English
spelling tells no more than roughly, but it is read in the same way on both sides.
"""

import re
from functools import lru_cache
from typing import Final

MAX_LETTERS: Final = 30
"""Of a word: longer ones are cut."""
MAX_SOUNDS: Final = 20
"""Of a word: nobody tells longer ones apart by what comes behind."""
MAX_REMEMBERED: Final = 4096

_IRREGULAR: Final = """
a=u an=un and=and are=Ar be=bi been=bin come=kum could=kud do=dU does=duz don't=dOnt eight=Et eighteen=Etin eighty=Eti
four=fOr fourteen=fOrtin forty=fOrti friend=frend give=giv great=grEt have=hav he=hi hour=Wr hours=Wrz i=Y i'm=Ym key=ki
kilometer=kilamitR kilometers=kilamitRz kilometre=kilamitR kilometres=kilamitRz live=liv me=mi minute=minut
minutes=minuts my=mY of=uv once=wuns one=wun only=Onli people=pipul repeat=ripit said=sed says=sez she=Si should=Sud
some=sum sugar=SugR sure=Sur the=Tu their=Ter there=Ter they=TE they're=Ter timer=tYmR timers=tYmRz to=tU today=tudE
tomorrow=tumArO too=tU two=tU was=wuz water=watR we=wi were=wR what=wut where=wer who=hU whole=hOl whose=hUz would=wud
you=yU you're=yUr your=yUr yours=yUrz
b=bi c=si d=di e=i f=ef g=Ji h=EC j=JE k=kE l=el m=em n=en o=O p=pi q=kyU r=Ar s=es t=ti u=yU v=vi w=dubulyU x=eks y=wY
z=zi
"""
"""Frequent words that are not spelt as they sound, and the names of letters."""
_SPELLINGS: Final = r"""
(?<=.)tion=Sun (?<=.)sion=Zun (?<=.)cian=Sun (?<=.)[tc]ious=Sus (?<=.)ture\b=CR (?<=.)ous\b=us
(?<=[td])ed\b=Id (?<=[aeiouy][^td])ed\b=d (?<=.[szxh])es\b=Iz (?<=..)es\b=z (?<=..)e\b=
\b[kg]n=n \bwr=r \bps=s \bpn=n \bx=z \bwh(?=o)=h wh=w mb\b=m gh\b=
i(?=[nl]d\b)=Y (?<=[^aeiou])ye\b=Y \bo(?=[^aeiou]e)=O igh=Y eigh=E augh=A ough=O gh=g
tch=C ch(?=[lr])=k ch=C sch=sk sh=S th=T ph=f ck=k qu=kw q=k dge=J sc(?=[eiy])=s c(?=[eiy])=s c=k gg=g g(?=[eyi])=J
ng=N nk=Nk x=ks j=J y(?=[aeiou])=y
ee=i ea(?=r[nl])= ea(?=d\b)=e ea=i ie\b=Y ie=i ei=E eu=yU ew=U ey\b=i oa=O oo(?=k)=u oo=U oi=Y oy=Y ou=W ow\b=O
ow(?=er\b)=O ow=W ai=E ay=E au=A aw=A ui=U ue\b=U oe\b=O
a(?=[^aeiouywx](?:e[sd]?|ing)\b)=E e(?=[^aeiouywx](?:e[sd]?|ing)\b)=i i(?=[^aeiouywx](?:e[sd]?|ing)\b)=Y
o(?=[^aeiouywx](?:e[sd]?|ing)\b)=O u(?=[^aeiouywx](?:e[sd]?|ing)\b)=U
ar=Ar or=Or [eiuy]r=R (?<=[aeiou].)y\b=i (?<=.[^aeiou])y\b=i y\b=Y y=i
(?<=(?P<doubled>[bdflmnprstz]))(?P=doubled)= al(?=[kf])=A a=a e=e i=I o=A u=u (?<=[bdgmnlvr])s\b=z [b-z]=*
"""
"""What a spelling sounds like at this place in a word, the first that fits; ``*`` is the letter itself."""
_WORDS: Final = dict(each.split("=") for each in _IRREGULAR.split())
_RULES: Final = {f"rule{at}": each.rpartition("=") for at, each in enumerate(_SPELLINGS.split())}
_SPELLING: Final = re.compile("|".join(f"(?P<{name}>{pattern})" for name, (pattern, _, _) in _RULES.items()))

_VOWELS: Final = frozenset("iIeEaAOUuYWR")
_KINDS: Final = str.maketrans("bdgvzZJDwR" + "iIeEaAOUuYW", "ptkfsSCTrV" + "V" * 11)
_ALIKE: Final = {
    pair: cost
    for cost, pairs in (
        (0.25, "pb td kg fv sz SZ CJ TD Ii iE ee eI eE ea au uA AO OU uU uI uR ue AW aY YE IY"),
        (0.45, "fT sT tT dT vT sS zS zZ mn nN mN CS JZ JS Ct Jd lr lw rw vb wv bm dn dl ks"),
        (0.6, "pt pk tk bd bg dg pf kh fs ph th gN ln ts dz yi yI kt"),
    )
    for each in pairs.split()
    for pair in (each, each[::-1])
}
"""What one of these sounds costs in place of the other, where two that have nothing in common cost 1."""
_LOST: Final = {
    **dict.fromkeys("ieEaAOUYWwtd", 0.5),
    "u": 0.3,
    "I": 0.35,
    "h": 0.35,
    "r": 0.4,
    "y": 0.4,
    "R": 0.45,
}
"""What a sound costs that only one of both has; others ``LOST``."""
LOST: Final = 0.75
_SOUNDS: Final = "pbtdkgfvTszSZCJmnNlrwyhD" + "".join(sorted(_VOWELS))
_GAPS: Final = {each: _LOST.get(each, LOST) for each in _SOUNDS}
_REPLACED: Final = {
    one: {
        other: 0.0 if one == other else _ALIKE.get(one + other, 0.5 if one in _VOWELS and other in _VOWELS else 1.0)
        for other in _SOUNDS
    }
    for one in _SOUNDS
}


@lru_cache(MAX_REMEMBERED)
def sounds_of(word: str) -> str:
    """Of an English word in small letters; what has no letters has no sounds."""
    if (known := _WORDS.get(word)) is not None:
        return known
    spelt, at, found = word[:MAX_LETTERS], 0, list[str]()
    while at < len(spelt):
        match = _SPELLING.match(spelt, at)
        if match is not None and match.lastgroup is not None:
            sounds = _RULES[match.lastgroup][2]
            found.append(match.group() if sounds == "*" else sounds)
        at = at + 1 if match is None else match.end()
    return "".join(found)[:MAX_SOUNDS]


def kinds_of(sounds: str) -> str:
    """The same for sounds that are often taken for each other."""
    return sounds.translate(_KINDS)


@lru_cache(MAX_REMEMBERED)
def weight(sounds: str) -> float:
    """What it costs to hear nothing in their place."""
    return sum(_GAPS[each] for each in sounds)


def difference(some: str, others: str, limit: float = float("inf")) -> float:
    """What it costs to hear one in place of the other: 0 for the same, about 1 for each consonant that differs.

    What is above ``limit`` need not be exact.
    """
    if some == others:
        return 0.0
    gaps = [_GAPS[each] for each in others]
    row = [0.0]
    for gap in gaps:
        row.append(row[-1] + gap)
    for one in some:
        lost, replaced = _GAPS[one], _REPLACED[one]
        diagonal, left = row[0], row[0] + lost
        after = [left]
        for at, other in enumerate(others, 1):
            above = row[at]
            best = diagonal + replaced[other]
            if above + lost < best:
                best = above + lost
            if left + gaps[at - 1] < best:
                best = left + gaps[at - 1]
            diagonal, left = above, best
            after.append(best)
        row = after
        if min(row) > limit:
            return limit + LOST
    return row[-1]
